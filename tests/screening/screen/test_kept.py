"""The cache of a screen: what is taken from it is what would be made."""

from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.screening.generate.prototypes import GenerationResult, embedded_candidates
from ionsieve.screening.screen import kept
from ionsieve.screening.screen.kept import kept_candidates, kept_known
from ionsieve.screening.screen.known import find_known


@pytest.fixture(scope="module")
def made() -> GenerationResult:
    return embedded_candidates("Li")


def test_candidates_from_the_cache_are_those_that_are_made(
    made: GenerationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_candidates("Li", tmp_path)
    monkeypatch.setattr(kept, "embedded_candidates", lambda _: pytest.fail("made again"))
    found = kept_candidates("Li", tmp_path)
    assert found.dropped == tuple(made.dropped)
    assert len(found.records) == len(made.records)
    for one, other in zip(found.records, made.records, strict=True):
        assert one.content_hash == other.content_hash
        np.testing.assert_array_equal(one.frac, other.frac)
        np.testing.assert_array_equal(one.lattice, other.lattice)
        assert (one.id, one.species, one.provenance, one.notes) == (
            other.id,
            other.species,
            other.provenance,
            other.notes,
        )


@pytest.mark.parametrize("damage", ["dropped.json", "structures-00000.parquet", "store.json"])
def test_damaged_candidates_are_made_again(
    made: GenerationResult, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "embedded_candidates", lambda _: made)
    kept_candidates("Li", tmp_path)
    (file,) = tmp_path.glob(f"candidates-*/{damage}")
    file.write_bytes(b"{")
    assert len(kept_candidates("Li", tmp_path).records) == len(made.records)
    assert file.read_bytes() != b"{"
    assert not list(tmp_path.glob(".*"))


def test_known_structures_are_compared_once(
    made: GenerationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, training = list(made.records[::40]), load_aimd_structures()
    expected = find_known(records, training)
    assert any(one.relation for one in expected)
    assert kept_known(records[:5], training, cache=tmp_path) == expected[:5]
    done: list[tuple[int, int]] = []
    assert (
        kept_known(records, training, cache=tmp_path, on_done=lambda *n: done.append(n)) == expected
    )
    assert done[0] == (6, len(records))
    compared: list[int] = []

    def counted(missing: list, *rest: object) -> list:
        compared.append(len(missing))
        return find_known(missing, *rest)

    monkeypatch.setattr(kept, "find_known", counted)
    assert kept_known(records, training, cache=tmp_path) == expected
    kept_known(records, training[1:], cache=tmp_path)
    kept_known(records, training, "Na", cache=tmp_path)
    assert compared == [0, len(records), len(records)], "another table, another species"
