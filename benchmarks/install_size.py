"""What an installation weighs, and what brings it: ``python benchmarks/install_size.py``.

Reads the packages of the environment that runs it. Sizes are those of the installed files, without
compiled Python. "Alone" is what would go with a direct dependency: itself and all that only it
needs.
"""

from __future__ import annotations

import argparse
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MB = 1e6


def main() -> None:
    """Print the table, heaviest first, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, default=5.0, help="smallest row, MB (default 5)")
    least = parser.parse_args().least
    direct = needs("ionsieve", frozenset())
    everything = closure(direct)
    total = weight(everything)
    print("| dependency | itself, MB | alone, MB | brings |")
    print("|---|---|---|---|")
    rows = []
    for name in direct:
        alone = everything - closure(direct - {name})
        brought = sorted(alone - {name}, key=lambda n: -size_MB(n))
        rows.append((weight(alone), name, brought))
    for alone_MB, name, brought in sorted(rows, reverse=True):
        if alone_MB >= least:
            text = ", ".join(brought[:3])
            print(f"| {name} | {size_MB(name):.0f} | {alone_MB:.0f} | {text} |")
    heaviest = sorted(everything, key=lambda n: -size_MB(n))[:12]
    print(f"\n{len(everything)} packages, {total:.0f} MB; the heaviest: ", end="")
    print(", ".join(f"{name} {size_MB(name):.0f}" for name in heaviest))


def needs(name: str, extras: frozenset[str]) -> frozenset[str]:
    """Packages that one needs here."""
    found = set()
    for line in requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in (extras or {""})):
            found.add(canonicalize_name(requirement.name))
    return frozenset(found)


def closure(names: frozenset[str]) -> frozenset[str]:
    """Packages and all that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and installed(name):
            found.add(name)
            waiting += needs(name, frozenset())
    return frozenset(found)


def installed(name: str) -> Distribution | None:
    """The package as it is installed, None where it is not."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def size_MB(name: str) -> float:
    """Files of one package."""
    files = distribution(name).files or []
    paths = (file.locate() for file in files if "__pycache__" not in file.parts)
    return sum(path.stat().st_size for path in paths if path.is_file()) / MB


def weight(names: frozenset[str]) -> float:
    """Files of several packages, MB."""
    return sum(map(size_MB, names))


if __name__ == "__main__":
    main()
