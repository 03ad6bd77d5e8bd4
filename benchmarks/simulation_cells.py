"""Which share of real, disordered crystals gets an AIMD cell, and what do the cells cost?

    python benchmarks/simulation_cells.py FOLDER_OF_CIFS [--mobile Li] [--csv FILE]

Every CIF that holds the mobile species is given to :func:`simulation_cells` as a campaign would.
The cost of each cell is compared with the smallest cell whose images are 9 Å apart within 0.06 of
the occupancies. Prints the table of docs/campaign.md, and each crystal without a cell with the
reason.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ionsieve.data.errors import IonsieveError
from ionsieve.data.sources.files import read_one_structure
from ionsieve.screening.jobs.cell_choice import COST_EXPONENT, GOOD_CHANGE
from ionsieve.screening.jobs.simulation_cell import simulation_cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mobile", default="Li")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rows = []
    for path in sorted(given.folder.rglob("*.cif")):
        row = one(path, given.mobile)
        if row is not None:
            rows.append(row)
    table = pd.DataFrame(rows)
    if given.csv:
        table.to_csv(given.csv, index=False, lineterminator="\n")
    print(summary(table))


def one(path: Path, mobile: str) -> dict[str, object] | None:
    """Facts of one file; None where the mobile species is not in it."""
    started = time.perf_counter()
    try:
        record = read_one_structure(path)
        if mobile not in record.elements:
            return None
        cell = simulation_cells(record, mobile)[0]
    except IonsieveError as error:
        return {"file": path.name, "ordered": None, "reason": str(error)}
    chosen = next(option for option in cell.alternatives if option.chosen)
    near = [
        option
        for option in cell.alternatives
        if option.image_distance_A >= 9.0 and option.occupancy_change <= GOOD_CHANGE
    ]
    smallest = min((option.n_atoms for option in near), default=chosen.n_atoms)
    return {
        "file": path.name,
        "ordered": record.is_ordered,
        "n_atoms": cell.record.n_sites,
        "image_distance_A": chosen.image_distance_A,
        "occupancy_change": chosen.occupancy_change,
        "composition_change": chosen.composition_change,
        "cost_ratio": (chosen.n_atoms / smallest) ** COST_EXPONENT,
        "method": cell.method,
        "seconds": time.perf_counter() - started,
        "reason": "",
    }


def summary(table: pd.DataFrame) -> str:
    """The table in Markdown, and those without a cell."""
    good = table[table["reason"] == ""]
    if good.empty:
        return "\n".join(f"{row.file}: {row.reason}" for row in table.itertuples())
    lines = [
        "| | |",
        "|---|---|",
        f"| crystals | {len(table)}, {int((good['ordered'] == False).sum())} disordered |",  # noqa: E712
        f"| with a cell | {len(good)} ({100 * len(good) / len(table):.1f} %) |",
        f"| atoms, median (90 %, most) | {quantiles(good['n_atoms'])} |",
        f"| change of an occupancy, median (90 %, most) | "
        f"{quantiles(good['occupancy_change'], 3)} |",
        f"| images under 9 Å | {int((good['image_distance_A'] < 9.0 - 1e-6).sum())} |",
        f"| cost against the smallest cell that would do, most | {good['cost_ratio'].max():.2f} |",
        f"| seconds a crystal, median (90 %, most) | {quantiles(good['seconds'], 1)} |",
    ]
    lines += [f"{row.file}: {row.reason}" for row in table.itertuples() if row.reason]
    return "\n".join(lines)


def quantiles(values: pd.Series, digits: int = 0) -> str:
    middle, most, largest = np.quantile(values.astype(float), [0.5, 0.9, 1.0])
    return f"{middle:.{digits}f} ({most:.{digits}f}, {largest:.{digits}f})"


if __name__ == "__main__":
    main()
