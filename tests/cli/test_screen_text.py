"""The terminal: the shortlist first, within 80 columns, wider where there is room."""

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ionsieve.cli.screen_text import print_screen

N = 30
RUN = {
    "counts": {"input": 40, "ranked": N, "filtered": 0, "quarantined": 10},
    "settings": {"mobile": "Li"},
    "funnel": [],
    "follow_up": {
        "n": 3, "n_known": 2, "expected_fast": 2.1, "fast_low": 1, "fast_high": 3,
        "core_hours": 1234.0, "temperature_K": 1000.0, "engine": "gpaw",
    },
    "known": [{"formula": "Li6PS5Cl", "rank": 1}],
    "model": {
        "label_mobile": "Li",
        "training": {"n_labels": 98, "n_structures": 62, "n_bounds": 23},
        "held_out": {},
    },
}  # fmt: skip


def ranking(id_length: int = 40) -> pd.DataFrame:
    mean = np.linspace(-1, -9, N)
    return pd.DataFrame(
        {
            "rank": range(1, N + 1),
            "id": [f"{k:02d}-{'x' * (id_length - 6)}-{k:02d}" for k in range(N)],
            "formula": ["Li6.6La3Zr1.6Ta0.4O12" if k % 2 else "Li6PS5Cl" for k in range(N)],
            "p_fast": [0.9999] + [0.5] * (N - 1),
            "log10_sigma_300K_S_cm": mean,
            "log10_sigma_300K_low": mean - 3,
            "log10_sigma_300K_high": mean + 3,
            "domain_distance": 0.5,
            "isolated_class": "antistructure",
            "isolated_fraction": 1.0,
            "known_formula": False,
            "known_relation": ["same"] + [""] * (N - 1),
            "flags": "uncertain;novel_mechanism",
            "core_hours": 1234.5,
            "follow_up": pd.array([None, 1, 3, 2] + [None] * (N - 4), dtype="Int64"),
        }
    )


def printed(width: int, id_length: int = 40, run: dict[str, Any] = RUN) -> list[str]:
    console = Console(file=StringIO(), width=width)
    print_screen(console, ranking(id_length), run, Path("out"), 10)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def table_rows(lines: list[str]) -> list[str]:
    """Lines of the tables: a number, then an id, which holds an x."""
    words = [(line, line.split()) for line in lines]
    return [line for line, w in words if len(w) > 3 and w[0].isdigit() and "-x" in w[1]]


@pytest.mark.parametrize("id_length", [8, 40, 120])
def test_tables_fit_eighty_columns_and_tell_ids_apart(id_length: int) -> None:
    lines = printed(80, id_length)
    # The command to copy is one line, however long.
    assert max(len(line.rstrip()) for line in lines if "start:" not in line) <= 80
    rows = table_rows(lines)
    assert len(rows) == 3 + 10
    for row in rows:
        name = row.split()[1]
        assert name[:2] == name[-2:]


def test_the_shortlist_comes_first_in_its_order_with_what_it_costs() -> None:
    lines = printed(80)
    assert lines[0].strip() == "Compute next: 3 of 28 new candidates"
    assert "2.1 fast conductors expected (90 %: 1 to 3)" in lines[1]
    assert "1,230" in " ".join(lines[:4])
    first = [line.split() for line in table_rows(lines)[:3]]
    assert [(row[0], row[1][:2]) for row in first] == [("1", "01"), ("2", "03"), ("3", "02")]
    start = next(line for line in lines if "start:" in line)
    assert "ionsieve campaign init STUDY --from out --flag follow_up --batch 3" in start


def test_wide_terminals_show_more_and_certainty_is_not_rounded() -> None:
    narrow, wide = "\n".join(printed(80)), "\n".join(printed(200))
    for heading in ("90 % interval", "flags", "isolated anions", "distance"):
        assert heading not in narrow
        assert heading in wide
    assert ">0.99" in wide
    first = table_rows(printed(200))[3].split()
    assert first[0] == "1"
    assert ">0.99" in first
    assert "1.00" not in first[: first.index("yes")]
    assert "Li6.6La3Zr1.6Ta0.4O12" in wide


def test_known_conductors_are_listed_apart() -> None:
    assert "Li6PS5Cl #1" in " ".join(printed(120))


def test_a_model_of_several_species_says_how_many_labels_are_of_which() -> None:
    pooled = RUN["model"] | {"label_mobile": "Na", "labels_by_mobile": {"Li": 98, "Na": 34}}
    run = RUN | {"settings": {"mobile": "Na"}, "model": pooled}
    lines = [line.strip() for line in printed(80, run=run)]
    assert "labels: 34 of Na conductors, 98 of Li" in lines
    assert not any(line.startswith("labels:") for line in printed(80))
