"""The batch engine: one row per input, whatever happens on the way."""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import structures
from ionsieve.data import InputError, StructureError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import StructureFeaturizer
from ionsieve.features.core.columns import Family
from ionsieve.screening.batch import batch, workers
from ionsieve.screening.batch.batch import featurize_batch
from ionsieve.screening.batch.parts import Part

NAMES = ("LiCl", "LiF", "Li2S", "Li3N_alpha", "Li6PS5Cl_F43m", "LiN3", "Li3OCl", "AgI_zb")
FAMILIES = ("isolated_anions", "density")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight crystals as files (one without lithium), one broken and one empty file."""
    path = tmp_path / "in"
    path.mkdir()
    for name in NAMES:
        to_pymatgen(structures.get(name)).to(str(path / f"{name}.vasp"), fmt="poscar")
    (path / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    (path / "empty.cif").touch()
    return path


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run in this process; list the structures that are computed."""
    names: list[str] = []

    def serial(
        job: batch.FeatureJob, items: Iterable[tuple[int, Any]], workers_: int, timeout_s: float
    ) -> Iterator[workers.ItemOutcome]:
        for index, item in items:
            names.extend([item.id] if isinstance(item, StructureRecord) else [])
            yield workers.ItemOutcome(index, job(item))

    monkeypatch.setattr(batch, "run_isolated", serial)
    return names


def _table(out: Path) -> pd.DataFrame:
    shards = sorted(out.rglob("*.parquet"))
    return pd.concat([pd.read_parquet(path) for path in shards], ignore_index=True)


def _content(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_every_input_has_one_row(folder: Path, tmp_path: Path, computed: list[str]) -> None:
    summary = featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    table = _table(tmp_path / "out")
    assert sorted(table["id"]) == sorted([*NAMES, "broken", "empty"])
    assert dict(summary.statuses) == {"ok": 7, "failed": 3}
    failed = table[table["status"] == "failed"].set_index("id")
    assert "holds no Li" in failed.loc["AgI_zb", "reason"]
    assert failed.loc["empty", "reason"] == "read: the file is empty"
    assert (failed["reason"] != "").all()
    assert failed["density_g_cm3"].isna().all()


def test_numbers_are_those_of_the_featurizer(
    folder: Path, tmp_path: Path, computed: list[str]
) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    table = _table(tmp_path / "out").set_index("id")
    direct = StructureFeaturizer(FAMILIES).transform([structures.get("Li6PS5Cl_F43m")]).iloc[0]
    assert list(table.columns) == ["status", "reason", *direct.index]
    for name, value in direct.items():
        stored = table.loc["Li6PS5Cl_F43m", name]
        assert stored == value or stored == pytest.approx(value, rel=1e-6, nan_ok=True), name


def test_a_second_run_computes_nothing_and_changes_nothing(
    folder: Path, tmp_path: Path, computed: list[str]
) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    before = _content(tmp_path / "out")
    computed.clear()
    summary = featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    assert computed == []
    assert summary.reused == summary.rows == 10
    assert _content(tmp_path / "out") == before


@pytest.mark.parametrize("step", ["append", "remove"])
@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_stopped_at_any_step_it_ends_with_the_same_bytes(
    folder: Path,
    tmp_path: Path,
    computed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    after: int,
) -> None:
    featurize_batch([folder], tmp_path / "whole", chosen=FAMILIES, shard_rows=2)
    original, calls = getattr(batch.Journal, step), []

    def stop(self: batch.Journal, *arguments: Any) -> None:
        calls.append(step)
        if len(calls) > after:
            raise KeyboardInterrupt
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(batch.Journal, step, stop)
        with contextlib.suppress(KeyboardInterrupt):
            featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, shard_rows=2)
    computed.clear()
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, shard_rows=2)
    assert len(computed) <= 8 - after
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


def test_a_changed_or_added_file_is_computed_and_only_that(
    folder: Path, tmp_path: Path, computed: list[str]
) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    computed.clear()
    shutil.copy(folder / "LiF.vasp", folder / "LiCl.vasp")
    shutil.copy(folder / "LiF.vasp", folder / "A_first.vasp")
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    assert sorted(computed) == ["A_first", "LiCl"]
    table = _table(tmp_path / "out").set_index("id")
    assert len(table) == 11
    assert table.loc["LiCl", "density_g_cm3"] == table.loc["LiF", "density_g_cm3"]


def test_a_removed_file_leaves_no_row(folder: Path, tmp_path: Path, computed: list[str]) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, shard_rows=4)
    for name in ("LiN3", "empty", "broken"):
        next(folder.glob(f"{name}.*")).unlink()
    (folder / "Li3OCl.vasp").unlink()
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, shard_rows=4)
    table = _table(tmp_path / "out")
    assert sorted(table["id"]) == sorted(set(NAMES) - {"LiN3", "Li3OCl"})
    assert len(list((tmp_path / "out").rglob("*.parquet"))) == 2


def test_changed_code_is_not_mixed_with_old_rows(
    folder: Path, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    computed.clear()
    monkeypatch.setattr(batch, "descriptor_code", lambda _: "other code")
    summary = featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    assert len(computed) == 8
    assert summary.reused == 0


def test_results_of_other_inputs_are_not_overwritten(
    folder: Path, tmp_path: Path, computed: list[str]
) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    before = _content(tmp_path / "out")
    with pytest.raises(InputError, match=r"inputs.*another --out"):
        featurize_batch([folder / "LiCl.vasp"], tmp_path / "out", chosen=FAMILIES)
    with pytest.raises(InputError, match="parts = 1, now 2"):
        featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, part=Part(0, 2))
    assert _content(tmp_path / "out") == before


def test_another_feature_set_or_species_has_its_own_folder(
    folder: Path, tmp_path: Path, computed: list[str]
) -> None:
    for species in ("Li", "Ag"):
        featurize_batch([folder], tmp_path / "out", chosen=["density"], mobile=species)
    featurize_batch([folder], tmp_path / "out", chosen=["isolated_anions"])
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(folders) == 3
    assert StructureFeaturizer(["isolated_anions"]).feature_set_hash in " ".join(folders)
    silver = [name for name in folders if name.endswith("Ag")]
    rows = pd.read_parquet(next((tmp_path / "out" / silver[0]).glob("*.parquet")))
    assert rows.loc[rows["status"] == "ok", "id"].tolist() == ["AgI_zb"]


@pytest.mark.parametrize("count", [1, 2, 3, 15])
def test_parts_together_are_the_whole(
    folder: Path, tmp_path: Path, computed: list[str], count: int
) -> None:
    for i in range(1, count + 1):
        featurize_batch([folder], tmp_path, chosen=FAMILIES, part=Part.parse(f"{i}/{count}"))
    assert sorted(_table(tmp_path)["id"]) == sorted([*NAMES, "broken", "empty"])


def test_part_text_is_checked() -> None:
    assert Part.parse("3/4") == Part(2, 4)
    assert {Part.parse(f"{i}/4") for i in range(4)} == {Part.parse(f"{i}/4") for i in range(1, 5)}
    for text in ("5/4", "1", "a/b", "-1/2", "1/0", "0/0", "1/2/3"):
        with pytest.raises(InputError, match="i from 1 to n"):
            Part.parse(text)


def test_shards_hold_the_rows_in_order(folder: Path, tmp_path: Path, computed: list[str]) -> None:
    summary = featurize_batch([folder], tmp_path / "out", chosen=FAMILIES, shard_rows=3)
    sizes = [len(pd.read_parquet(path)) for path in sorted((tmp_path / "out").rglob("*.parquet"))]
    assert sizes == [3, 3, 3, 1]
    assert len(summary.shards) == 4
    assert _table(tmp_path / "out")["id"].tolist() == sorted([*NAMES, "broken", "empty"])


def test_two_structures_of_one_name_keep_two_rows(
    tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = [structures.get("LiF"), structures.get("LiCl"), structures.get("LiF")]

    class Source:
        inputs, part, reads_files, n_expected = ("x",), Part(), False, 3

        def __iter__(self) -> Iterator[StructureRecord]:
            return iter(twice)

    monkeypatch.setattr(batch, "PartOfInputs", lambda inputs, part: Source())
    featurize_batch(["x"], tmp_path, chosen=FAMILIES)
    table = _table(tmp_path)
    assert table["id"].tolist() == ["LiF", "LiCl", "LiF#2"]
    assert "rename" in table["reason"][2]


def test_one_failing_family_makes_the_row_partial(
    folder: Path, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(prepared: Any, notes: list[str]) -> dict[str, float]:
        raise StructureError(f"{prepared.record.id}: 3.5 Å is too far")

    broken = [
        Family(f.name, f.columns, compute if f.name == "density" else f.compute)
        for f in batch.families(FAMILIES)
    ]
    monkeypatch.setattr(batch, "families", lambda names: broken)
    summary = featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    assert summary.statuses["partial"] == 7
    assert summary.reasons["density: # Å is too far"] == 7
    table = _table(tmp_path / "out").set_index("id")
    assert np.isnan(table.loc["LiF", "density_g_cm3"])
    assert table.loc["LiF", "isolated_class"] == "antistructure"
    saved = json.loads(next((tmp_path / "out").rglob("summary.json")).read_text())
    assert saved["statuses"] == dict(summary.statuses)


def test_what_a_run_used_is_written_down(folder: Path, tmp_path: Path, computed: list[str]) -> None:
    featurize_batch([folder], tmp_path / "out", chosen=FAMILIES)
    described = json.loads(next((tmp_path / "out").rglob("run.json")).read_text())
    assert described["inputs"] == [str(folder.resolve())]
    assert described["families"] == list(FAMILIES)
    assert {"ionsieve", "numpy", "python"} <= set(described["versions"])


def test_missing_inputs_and_bad_options_are_errors_before_anything_is_written(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no such file"):
        featurize_batch([tmp_path / "absent"], tmp_path / "out")
    with pytest.raises(InputError, match="positive"):
        featurize_batch([folder], tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()


def test_serial_and_parallel_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        featurize_batch([folder], out, chosen=FAMILIES, workers=count, shard_rows=4)
    assert _content(tmp_path / "out1") == _content(tmp_path / "out2")


def test_a_second_process_on_the_same_part_is_refused(folder: Path, tmp_path: Path) -> None:
    from ionsieve.screening.batch.run_description import only_writer

    with (
        only_writer(tmp_path / ".lock"),
        pytest.raises(InputError, match="another process"),
        only_writer(tmp_path / ".lock"),
    ):
        pass
