"""The INCAR beside an XDATCAR: what it says is compared, and need not be asked for."""

from pathlib import Path

import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.incar import incar_beside
from ionsieve.data.trajectories.readers import read_trajectory

HEAD = "LiCl\n1.0\n5.1 0 0\n0 5.1 0\n0 0 5.1\nLi Cl\n1 1\n"


def write(folder: Path, incar: str | None, stride: int = 1, name: str = "XDATCAR") -> Path:
    frames = [
        f"Direct configuration= {stride * k}\n {0.01 * k:.8f} 0.0 0.0\n 0.5 0.5 0.5\n"
        for k in range(1, 7)
    ]
    (folder / name).write_text(HEAD + "".join(frames))
    if incar is not None:
        (folder / "INCAR").write_text(incar)
    return folder / name


MD = "IBRION = 0\nPOTIM = 2.0\nTEBEG = 800 ; TEEND = 800\nSMASS = 0\n"


@pytest.mark.parametrize(
    ("incar", "stride", "spacing_fs"),
    [
        (MD, 1, 2.0),
        (MD + "NBLOCK = 10\n", 1, 20.0),
        (MD + "NBLOCK = 10\n", 10, 20.0),
        (MD + "NBLOCK = 10 # a comment\n", 30, 60.0),
        (MD, 5, 10.0),
        ("potim=1.5d0 ! fs\n", 1, 1.5),
        ("# POTIM = 9\nPOTIM = 2\nPOTIM = 3\n", 1, 2.0),
    ],
)
def test_what_it_says_need_not_be_asked_for(
    tmp_path: Path, incar: str, stride: int, spacing_fs: float
) -> None:
    path = write(tmp_path, incar, stride)
    run = read_trajectory([path])
    assert run.frame_spacing_fs == pytest.approx(spacing_fs)
    assert "time from the INCAR beside it" in run.warnings[0]
    assert run.temperature_K == (800.0 if "TEBEG" in incar else None)
    again = read_trajectory([path], frame_spacing_fs=spacing_fs)
    assert (again.frame_spacing_fs, again.warnings) == (run.frame_spacing_fs, ())


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"frame_spacing_fs": 2.0}, ("20 fs apart", "not 2 fs as by --frame-spacing-fs")),
        ({"time_step_fs": 1.0}, ("20 fs apart", "not 10 fs as by 10 steps of --time-step")),
    ],
)
@pytest.mark.parametrize("stride", [1, 10])
def test_a_contradiction_gives_both_numbers(
    tmp_path: Path, options: dict[str, float], numbers: tuple[str, ...], stride: int
) -> None:
    path = write(tmp_path, MD + "NBLOCK = 10\n", stride)
    with pytest.raises(TrajectoryError) as error:
        read_trajectory([path], **options)
    for number in (*numbers, "POTIM = 2 fs in the INCAR beside it"):
        assert number in str(error.value)


def test_numbers_that_no_block_explains(tmp_path: Path) -> None:
    path = write(tmp_path, MD + "NBLOCK = 10\n", 7)
    with pytest.raises(TrajectoryError, match=r"numbered 7 apart, but .* has NBLOCK = 10"):
        read_trajectory([path], time_step_fs=2.0)


def test_a_relaxation_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match="a relaxation, not molecular dynamics"):
        read_trajectory([write(tmp_path, "IBRION = 2\nPOTIM = 0.5\n")])


@pytest.mark.parametrize("value", ["two", "", "1.0.0", "2fs"])
def test_a_number_that_is_none(tmp_path: Path, value: str) -> None:
    with pytest.raises(TrajectoryError, match=r"INCAR: POTIM = .* is no number"):
        read_trajectory([write(tmp_path, f"POTIM = {value}\n")])


def test_thermostats(tmp_path: Path) -> None:
    path = write(tmp_path, "POTIM = 1\nTEBEG = 300\nTEEND = 900\n")
    run = read_trajectory([path])
    assert run.temperature_K is None
    assert "from TEBEG 300 K to TEEND 900 K" in run.warnings[1]
    for text in ("TEBEG = 300\nSMASS = -3\n", "POTIM = 1\n", ""):
        (tmp_path / "INCAR").write_text(text)
        found = incar_beside(path)
        assert found is not None
        assert (found.temperature_K, found.ramp) == (None, "")


def test_frames_of_learned_runs_may_be_irregular(tmp_path: Path) -> None:
    path = write(tmp_path, MD + "ML_LMLFF = .TRUE.\nNBLOCK = 10\n")
    with pytest.raises(TrajectoryError, match="does not say the time between frames"):
        read_trajectory([path])
    assert read_trajectory([path], frame_spacing_fs=7.0).temperature_K == 800.0


def test_only_of_a_file_that_has_kept_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, MD, name="XDATCAR_600K")
    assert incar_beside(path) is None
    with pytest.raises(TrajectoryError, match="does not say the time between frames"):
        read_trajectory([path])
