"""The label table only grows, and gives models the newest analysis of each run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ionsieve.data.errors import LabelError
from ionsieve.data.trajectories.trajectory import Segment, Trajectory
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.label_history import append_label, current_labels, read_history


@pytest.fixture
def result(tmp_path):
    rng = np.random.default_rng(0)
    source = tmp_path / "XDATCAR"
    source.write_text("content")
    ions = np.cumsum(rng.normal(0, 0.4, (600, 12, 3)), axis=0)
    frac = np.concatenate([ions, np.zeros((600, 4, 3))], axis=1) / 12.0
    run = Trajectory(
        species=("Li",) * 12 + ("S",) * 4,
        lattices=np.eye(3) * 12,
        frac=frac - np.floor(frac),
        frame_spacing_fs=100.0,
        segments=(Segment(file=str(source), first_frame=0, n_frames=600),),
    )
    return analyse(run, AnalysisSettings(mobile="Li", temperature_K=800.0, structure_id="mp-1"))


def test_versions_and_current_labels(tmp_path, result):
    path = tmp_path / "labels.jsonl"
    assert append_label(path, result) == 1
    assert append_label(path, result) == 1
    before = path.read_bytes()
    changed = replace(result, warnings=("looked at again",))
    assert append_label(path, changed) == 2
    assert path.read_bytes().startswith(before)
    other = replace(result, settings=replace(result.settings, temperature_K=900.0))
    assert append_label(path, other) == 1
    assert [(r["version"]) for r in read_history(path)] == [1, 2, 1]
    labels = current_labels(path)
    assert [(x.structure_id, x.temperature_K, x.kind) for x in labels] == [
        ("mp-1", 800.0, "aimd"),
        ("mp-1", 900.0, "aimd"),
    ]
    assert labels[0].value == pytest.approx(result.as_dict()["sigma_mS_cm"] / 1000.0, rel=1e-12)
    assert labels[0].error_log10 > 0


def test_bound_becomes_a_censored_label(result):
    bound = replace(result, fit=None, verdict="confined", diffusivity_upper_cm2_s=1e-7)
    label = bound.label()
    assert label.value is None
    assert label.upper == pytest.approx(bound.sigma_mS_cm(1e-7) / 1000.0)


def test_foreign_lines_and_runs_without_files_are_refused(tmp_path, result):
    path = tmp_path / "labels.jsonl"
    path.write_text("{}\n")
    with pytest.raises(LabelError, match="line 1"):
        append_label(path, result)
    path.write_text("not json\n")
    with pytest.raises(LabelError, match="line 1 is not JSON"):
        read_history(path)
    assert path.read_text() == "not json\n"
    with pytest.raises(LabelError, match="no identity"):
        append_label(tmp_path / "new.jsonl", replace(result, sources=()))
    assert current_labels(tmp_path / "absent.jsonl") == []
    json.dumps(result.as_dict(), allow_nan=False)
