"""A sample of the reference pool of real crystals, where it is present."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from ionsieve.data import StructureRecord


def crystals(folder: Path, every: int = 1, element: str = "", max_sites: int = 10**6) -> Iterator:
    """Every n-th pool crystal that holds the element and is not too large."""
    taken = 0
    with gzip.open(folder / "pool" / "phonondb.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if len(row["species"]) > max_sites or (element and element not in row["species"]):
                continue
            taken += 1
            if taken % every == 0:
                yield StructureRecord.ordered(
                    row["id"], row["lattice"], row["species"], row["frac"]
                )
