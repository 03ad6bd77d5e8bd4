"""One hash for "the code that this result depends on": modules, what they import, what they read.

Cached rows, models and replays are valid as long as nothing that decided them has changed. The
walk is static: nothing is imported, so that the answer is the same in every process, and a hash of
the physics does not change when a page template does.

Counted are the statements of a module, without comments and docstrings. Followed are the imports
of this package, wherever they stand in a module (``if TYPE_CHECKING`` excepted), the module names
in modules that import by name, and the names of files that ship with the package, such as
``bvse_parameters.csv``. Not counted are third-party libraries: a run states their versions.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from .errors import InputError

PACKAGE: Final[str] = "ionsieve"
REGISTRY: Final[str] = "registry.yaml"
_Import = ast.Import | ast.ImportFrom


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a result depends on.

    Attributes
    ----------
    modules : dict of str to bytes
        Full module name → its statements.
    data : dict of str to Path
        File name → file, of what ships with the package.
    """

    modules: dict[str, bytes] = field(default_factory=dict)
    data: dict[str, Path] = field(default_factory=dict)


@lru_cache(maxsize=64)
def code_digest(*modules: str, root: Path | None = None) -> str:
    """Hash of modules with everything of this package that they import and read.

    Parameters
    ----------
    *modules : str
        Full names, such as ``"ionsieve.features.rows"``.
    root : Path, optional
        Folder of the package; that of this installation by default.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    InputError
        If a module, or one that is imported, does not exist: a hash of nothing would keep results
        of older code for ever.
    """
    code = code_behind(*modules, root=root)
    digest = hashlib.sha256()
    for name, statements in sorted(code.modules.items()):
        digest.update(f"{name}\t{len(statements)}\n".encode() + statements)
    for name, path in sorted(code.data.items()):
        content = path.read_bytes()
        digest.update(f"{name}\t{len(content)}\n".encode() + content)
    return digest.hexdigest()


def code_behind(*modules: str, root: Path | None = None) -> Code:
    """Modules and data files that modules depend on, themselves included.

    The ``__init__`` of a package counts where something is imported from it, not where it is
    passed on the way to a module within.

    Parameters
    ----------
    *modules, root
        As in :func:`code_digest`.

    Raises
    ------
    InputError
        As there.
    """
    if not modules:
        raise InputError("a code digest needs at least one module")
    tree = _Tree(Path(str(files(PACKAGE))) if root is None else root)
    found, waiting = Code(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found.modules:
            parsed = _Source(tree, name)
            found.modules[name] = parsed.statements
            found.data.update(parsed.data())
            waiting += parsed.imports()
    return found


class _Tree:
    """The package on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Rooms may be links to folders beside the root, which rglob would not enter.
        inside = [path for room in sorted(root.iterdir()) for path in room.resolve().rglob("*.*")]
        self.data = {
            path.name: path
            for path in inside
            if path.suffix != ".py" and path.parent.name != "__pycache__" and path.is_file()
        }
        # It lists all tables; each of them counts where it is read.
        self.data.pop(REGISTRY, None)

    def file(self, module: str) -> Path | None:
        """The file of a module, None if there is none of that name."""
        first, *rest = module.split(".")
        path = self.root.joinpath(*rest)
        candidates = (path / "__init__.py", path.with_suffix(".py"))
        return next((f for f in candidates if first == PACKAGE and f.is_file()), None)


class _Source:
    """One module, parsed."""

    def __init__(self, tree: _Tree, name: str) -> None:
        path = tree.file(name)
        if path is None:
            raise InputError(f"{name}: no such module in {tree.root}; was it moved or renamed?")
        content = path.read_bytes()
        self.tree, self.name = tree, name
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.syntax = ast.parse(content)
        self.nodes = list(_nodes(self.syntax))
        self.statements = _without_comments(content, self.syntax)

    def imports(self) -> Iterator[str]:
        """Modules of this package that are imported, directly."""
        by_name = False
        for node in self.nodes:
            if isinstance(node, _Import):
                yield from self._imported(node)
            by_name |= isinstance(node, ast.Name) and node.id == "import_module"
        if by_name:
            yield from self._named_modules()

    def _imported(self, node: _Import) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == PACKAGE)
            return
        source = self._absolute("." * node.level + (node.module or ""))
        if source.split(".")[0] != PACKAGE:
            return
        inner = [f"{source}.{a.name}" for a in node.names]
        submodules = [name for name in inner if self.tree.file(name)]
        yield from submodules
        if len(submodules) < len(inner):
            yield source

    def _absolute(self, module: str) -> str:
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        parts = self.package.split(".")
        return ".".join([*parts[: len(parts) - level + 1], module[level:]]).rstrip(".")

    def _named_modules(self) -> Iterator[str]:
        for text in self._strings():
            if text.startswith((".", f"{PACKAGE}.")) and text.strip("."):
                name = self._absolute(text)
                if self.tree.file(name):
                    yield name

    def data(self) -> Iterator[tuple[str, Path]]:
        """Files of the package that are named, directly."""
        return ((t, self.tree.data[t]) for t in self._strings() if t in self.tree.data)

    def _strings(self) -> Iterator[str]:
        values = (node.value for node in self.nodes if isinstance(node, ast.Constant))
        return (value for value in values if isinstance(value, str))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    yield node
    skipped = isinstance(node, ast.If) and _is_type_checking(node.test)
    for child in node.orelse if skipped else ast.iter_child_nodes(node):  # type: ignore[attr-defined]
        yield from _nodes(child)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _without_comments(content: bytes, syntax: ast.Module) -> bytes:
    """Source without comments, docstrings and blank lines: what Python executes.

    A ``#`` begins a comment unless it stands inside a string. (Parsing gives the same nodes in
    every version of Python; a dump of the tree or of tokens would not.)
    """
    lines = [bytearray(line) for line in content.splitlines()]
    inside_string: list[set[int]] = [set() for _ in lines]
    for node in ast.walk(syntax):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        ):
            for row, start, end in _span(node, lines):
                hashes = (i for i in range(start, end) if lines[row][i : i + 1] == b"#")
                inside_string[row].update(hashes)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character == ord("#") and column not in inside_string[row]:
                del line[column:]
                break
    for statement in _docstrings(syntax):
        for row, start, end in _span(statement, lines):
            lines[row][start:end] = b" " * (min(end, len(lines[row])) - start)
    return b"\n".join(line.rstrip() for line in lines if line.strip())


def _span(node: ast.expr, lines: list[bytearray]) -> Iterator[tuple[int, int, int]]:
    """Row, first and last column (bytes) of a node in every line that it touches."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    for row in range(first, last + 1):
        start = node.col_offset if row == first else 0
        end = (node.end_col_offset or 0) if row == last else len(lines[row])
        yield row, start, end


def _docstrings(syntax: ast.Module) -> Iterator[ast.expr]:
    """Strings that are statements: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(syntax):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value
