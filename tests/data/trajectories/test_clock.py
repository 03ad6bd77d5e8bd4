"""Time between frames: every statement of a file against every option."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.clock import Clock, clock_of_infos, first_time_fs, frame_spacing
from ionsieve.data.trajectories.readers import read_trajectory

CELL = "12.0 0 0 0 12.0 0 0 0 12.0"


@given(st.floats(0.5, 5.0), st.integers(1, 100), st.integers(2, 30), st.integers(0, 10**7))
def test_statements_that_agree(step_fs: float, every: int, n_frames: int, start: int) -> None:
    """Times, step numbers and either option give one spacing, alone and together."""
    steps = [start + every * k for k in range(n_frames)]
    times = [s * step_fs for s in steps]
    expected = every * step_fs
    for clock in (
        Clock(times=times),
        Clock(steps=steps, step_fs=step_fs),
        Clock(times=times, steps=steps),
    ):
        for options in ((None, None), (expected, None), (None, step_fs), (expected, step_fs)):
            assert frame_spacing("f", clock, *options) == pytest.approx(expected, rel=1e-3)
    with pytest.raises(TrajectoryError, match="fs apart by"):
        frame_spacing("f", Clock(times=times), 1.01 * expected)
    with pytest.raises(TrajectoryError, match="fs apart by"):
        frame_spacing("f", Clock(steps=steps, step_fs=step_fs), None, 1.01 * step_fs)


@pytest.mark.parametrize(
    ("clock", "spacing", "step", "message"),
    [
        (Clock(times=[0, 100, 200]), 50, None, "100 fs apart by their times, not 50 fs as"),
        (Clock(steps=[10, 20, 30]), 5, 5, "50 fs apart by 10 steps of --time-step, not 5 fs"),
        (Clock(step_fs=2.0, step_name="POTIM = 2 fs"), 1.0, None, "apart by POTIM = 2 fs, not 1"),
        (Clock(times=[0, 100]), None, 30, "no whole steps of --time-step 30"),
        (Clock(steps=[50, 100]), 2.0, None, "counts 50 MD steps between frames.*0.04 fs each"),
        (Clock(steps=[1, 2, 3, 7, 8]), 1.0, None, r"frame 4: 4 .*7 after 3\), elsewhere 1"),
        (Clock(times=[0, 1, 2, 5, 6]), 1.0, None, "frame 4: 3 fs after .* elsewhere 1"),
        (Clock(times=[0, 0, 0]), 1.0, None, "frame 2: 0 fs after"),
        (Clock(times=[3, 2, 1]), 1.0, None, "frame 2: -1 fs after"),
        (Clock(times=[0, 0.1, 0.2], time_unit_fs=None), None, None, "in time, without a unit"),
        (Clock(), None, None, "does not say the time between frames; give --frame-spacing-fs"),
        (Clock(), -1.0, None, "must be positive"),
        (Clock(), None, float("nan"), "must be positive"),
    ],
)  # fmt: skip
def test_contradictions_give_both_numbers(clock, spacing, step, message: str) -> None:
    with pytest.raises(TrajectoryError, match=message):
        frame_spacing("f", clock, spacing, step)


def test_times_without_a_unit_are_fs_or_ps() -> None:
    clock = Clock(times=[0, 0.1, 0.2], time_unit_fs=None)
    assert frame_spacing("f", clock, 100.0) == pytest.approx(100.0)
    assert frame_spacing("f", clock, 0.1) == pytest.approx(0.1)
    with pytest.raises(TrajectoryError, match=r"0\.1 fs apart by their times, not 50"):
        frame_spacing("f", clock, 50.0)


def test_counting_may_begin_anew_where_files_were_put_together() -> None:
    assert frame_spacing("f", Clock(steps=[1, 2, 3, 1, 2], restarts=True), 2.0) == 2.0
    assert frame_spacing("f", Clock(steps=[10, 20, 10, 20], restarts=True), None, 2.0) == 20.0
    with pytest.raises(TrajectoryError, match="frame 4"):
        frame_spacing("f", Clock(steps=[1, 2, 3, 1, 2]), 2.0)


def test_infos_of_frames() -> None:
    infos = [{"Time_fs": 10.0 * k, "step": np.int64(5 * k)} for k in range(3)]
    clock = clock_of_infos(infos)
    assert list(clock.times) == [0, 10, 20]
    assert list(clock.steps) == [0, 5, 10]
    assert clock_of_infos([{"time": 1}, {"other": 2}]) == Clock()
    assert clock_of_infos([{"time_ps": 0.0}, {"time_ps": 0.1}]).time_unit_fs == 1000.0


def test_first_times() -> None:
    assert first_time_fs(Clock(times=[5, 6]), 1.0) == 5.0
    assert first_time_fs(Clock(steps=[20, 30]), 50.0) == 100.0
    assert first_time_fs(Clock(times=[0.5, 0.6], time_unit_fs=None), 100.0) == pytest.approx(500.0)
    assert first_time_fs(Clock(), 1.0) is None


# Files -----------------------------------------------------------------------------------------


def extxyz(path: Path, comments: list[str]) -> Path:
    frames = [f'1\nLattice="{CELL}" {c}\nLi {0.01 * k} 0 0\n' for k, c in enumerate(comments)]
    path.write_text("".join(frames))
    return path


@pytest.mark.parametrize(
    ("comment", "step", "spacing"),
    [("time_fs={:.1f}", 100, None), ("time_ps={:.4f}", 0.1, None), ("Time_fs={}", 100, 100.0),
     ("time={:.2f}", 0.1, 100.0), ("time={}", 100, 100.0)],
)  # fmt: skip
def test_times_of_extended_xyz(tmp_path: Path, comment: str, step: float, spacing) -> None:
    path = extxyz(tmp_path / "run@3, 'a'.xyz", [comment.format(step * k) for k in range(4)])
    assert read_trajectory([path], spacing).frame_spacing_fs == pytest.approx(100.0)
    with pytest.raises(TrajectoryError, match=re.escape(path.name)):
        read_trajectory([path], 50.0)


def test_steps_of_extended_xyz(tmp_path: Path) -> None:
    path = extxyz(tmp_path / "a.extxyz", [f"step={20 * k}" for k in range(4)])
    assert read_trajectory([path], time_step_fs=2.0).frame_spacing_fs == 40.0
    with pytest.raises(TrajectoryError, match="40 fs apart by 20 steps"):
        read_trajectory([path], 2.0, 2.0)
    path = extxyz(tmp_path / "b.extxyz", [f"step={k}" for k in (0, 20, 60, 80)])
    with pytest.raises(TrajectoryError, match="frame 3: 40 steps"):
        read_trajectory([path], time_step_fs=2.0)


def xdatcar(path: Path, numbers: list[int | str]) -> Path:
    head = "Li\n1.0\n12 0 0\n0 12 0\n0 0 12\nLi\n1\n"
    frames = [
        f"Direct configuration= {n:>5}\n {0.001 * k:.8f} 0.1 0.2\n" for k, n in enumerate(numbers)
    ]
    text = head + "".join(frames)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_numbers_of_configurations(tmp_path: Path) -> None:
    tens = xdatcar(tmp_path / "XDATCAR", [10, 20, 30, 40])
    assert read_trajectory([tens], time_step_fs=5.0).frame_spacing_fs == 50.0
    assert read_trajectory([tens], 50.0).frame_spacing_fs == 50.0
    with pytest.raises(TrajectoryError, match="50 fs apart by 10 steps of --time-step, not 5 fs"):
        read_trajectory([tens], 5.0, 5.0)
    ones = xdatcar(tmp_path / "XDATCAR.gz", [1, 2, 3, 1, 2, 3])
    assert read_trajectory([ones], time_step_fs=5.0).frame_spacing_fs == 5.0
    gap = xdatcar(tmp_path / "XDATCAR.gap", [1, 2, 5, 6])
    with pytest.raises(
        TrajectoryError, match=r"frame 3: 3 steps .*number 5 after 2\), elsewhere 1"
    ):
        read_trajectory([gap], 1.0)
    stars = xdatcar(tmp_path / "XDATCAR.stars", [999999, "******", "******"])
    assert read_trajectory([stars], 1.0).n_frames == 3


def dump(path: Path, frames: list[tuple[int, str]], box: str = "pp pp pp", units: str = "") -> Path:
    text = f"ITEM: UNITS\n{units}\n" if units else ""
    rows = {"pp pp pp": "0 12\n0 12\n0 12\n"}.get(box, "12 0 0 0\n0 12 0 0\n3 0 12 0\n")
    for step, time in frames:
        text += f"ITEM: TIME\n{time}\n" if time else ""
        text += f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS {box}\n{rows}"
        text += "ITEM: ATOMS id element x y z\n1 Li 1 1 1\n2 Cl 9 6 6\n"
    path.write_text(text)
    return path


FIFTIES = [(0, "0.0"), (50, "0.1"), (100, "0.2")]


def test_times_and_units_of_lammps(tmp_path: Path) -> None:
    path = dump(tmp_path / "a.dump", FIFTIES, units="metal")
    assert read_trajectory([path]).frame_spacing_fs == pytest.approx(100.0)
    assert read_trajectory([path], time_step_fs=2.0).frame_spacing_fs == pytest.approx(100.0)
    with pytest.raises(
        TrajectoryError, match="100 fs apart by their times, not 50 fs as by 50 steps"
    ):
        read_trajectory([path], time_step_fs=1.0)
    real = dump(tmp_path / "b.dump", [(0, "0"), (50, "100"), (100, "200")], units="real")
    assert read_trajectory([real]).frame_spacing_fs == 100.0
    bare = dump(tmp_path / "c.dump", FIFTIES)
    assert read_trajectory([bare], time_step_fs=2.0).frame_spacing_fs == pytest.approx(100.0)
    with pytest.raises(TrajectoryError, match="units 'lj'"):
        read_trajectory([dump(tmp_path / "d.dump", FIFTIES, units="lj")], 1.0)


@pytest.mark.parametrize(
    ("units", "angstrom"), [("nano", 10.0), ("electron", 0.529177), ("si", 1e10)]
)
def test_lengths_of_lammps_units(tmp_path: Path, units: str, angstrom: float) -> None:
    edge = 12.0 / angstrom
    path = dump(tmp_path / "a.dump", [(0, ""), (10, "")], units=units)
    path.write_text(path.read_text().replace("0 12\n", f"0 {edge:.9g}\n"))
    assert read_trajectory([path], 1.0).lattices[0] == pytest.approx(np.eye(3) * 12.0, rel=1e-5)


def test_general_triclinic_boxes_of_lammps(tmp_path: Path) -> None:
    path = dump(tmp_path / "a.dump", [(0, ""), (10, "")], box="abc origin pp pp pp")
    run = read_trajectory([path], time_step_fs=1.0)
    assert run.lattices[0].tolist() == [[12, 0, 0], [0, 12, 0], [3, 0, 12]]
    assert run.frac[0, 1] == pytest.approx(np.array([9 - 0.5 * 3, 6, 6]) / 12)
    with pytest.raises(TrajectoryError, match="not periodic in three dimensions"):
        read_trajectory([dump(tmp_path / "b.dump", [(0, "")], box="abc origin pp pp ss")], 1.0)


def test_time_step_and_temperature_of_a_vasprun(shared_data: Path) -> None:
    path = shared_data / "trajectories" / "format_traps" / "vasprun.md.xml.gz"
    run = read_trajectory([path])
    assert run.frame_spacing_fs == 3.0
    assert run.temperature_K is not None
    with pytest.raises(TrajectoryError, match="3 fs apart by POTIM = 3 fs, not 6 fs"):
        read_trajectory([path], 6.0)
