"""Files of one run in their order; independent runs are told apart."""

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.joining import join
from ionsieve.data.trajectories.trajectory import Segment, Trajectory

N_ATOMS = 32


def walk(seed: int, n_frames: int, start: np.ndarray | None = None) -> np.ndarray:
    """Ions that diffuse by 0.05 Å a frame in a cell of 12 Å."""
    rng = np.random.default_rng(seed)
    if start is None:
        start = np.random.default_rng(0).random((N_ATOMS, 3))
    return start + np.cumsum(rng.normal(0, 0.05 / 12, (n_frames, N_ATOMS, 3)), axis=0)


def part(frac: np.ndarray, name: str, first_time_fs: float | None = None, **other) -> Trajectory:
    return Trajectory(
        species=("Li",) * 16 + ("S",) * 16,
        lattices=np.eye(3) * 12.0,
        frac=frac - np.floor(frac),
        frame_spacing_fs=10.0,
        segments=(
            Segment(file=name, first_frame=0, n_frames=len(frac), first_time_fs=first_time_fs),
        ),
        **other,
    )


@pytest.mark.parametrize("seed", range(20))
def test_consecutive_parts_are_joined_and_independent_ones_refused(seed: int) -> None:
    first = walk(seed + 1, 300)
    following = walk(seed + 1001, 300, first[-1])
    # Another run from the same start, as run1/XDATCAR and run2/XDATCAR.
    other = walk(seed + 2001, 300)
    joined = join([part(first, "run1"), part(following, "run2")])
    assert joined.n_frames == 600
    assert joined.warnings == ()
    with pytest.raises(TrajectoryError, match=r"run2: frame 1 lies .* from the last frame of run1"):
        join([part(first, "run1"), part(other, "run2")])
    assert join([part(first, "run1"), part(other, "run2")], consecutive=True).n_frames == 600


def test_the_order_matters() -> None:
    whole = walk(1, 900)
    parts = [part(whole[k : k + 300], f"run{k}") for k in (0, 300, 600)]
    assert join(parts).n_frames == 900
    with pytest.raises(TrajectoryError, match="independent runs, or not in order"):
        join([parts[0], parts[2], parts[1]])


def test_a_drifting_cell_is_no_jump() -> None:
    whole = walk(1, 600)
    whole[300:] += 0.1
    assert join([part(whole[:300], "a"), part(whole[300:], "b")]).n_frames == 600


def test_times_of_files_tell_what_is_missing() -> None:
    whole = walk(1, 600)
    first = part(whole[:300], "a", 0.0)
    assert join([first, part(whole[300:], "b", 3000.0)]).n_frames == 600
    assert join([first, part(whole[300:], "b", 0.0)]).n_frames == 600
    assert join([first, part(whole[300:], "b", 10.0)]).n_frames == 600
    with pytest.raises(
        TrajectoryError, match=r"b: begins at 5000 fs .* ends at 2990 fs: 200 frames"
    ):
        join([first, part(whole[300:], "b", 5000.0)])
    with pytest.raises(TrajectoryError, match="give the files in the order of the run"):
        join([part(whole[:300], "a", 6000.0), part(whole[300:], "b", 3000.0)])


def test_another_temperature_is_another_run() -> None:
    whole = walk(1, 20)
    first = part(whole[:10], "a", temperature_K=600.0)
    assert join([first, part(whole[10:], "b", temperature_K=600.0)]).temperature_K == 600.0
    with pytest.raises(TrajectoryError, match="set to 900 K, but that of a to 600 K"):
        join([first, part(whole[10:], "b", temperature_K=900.0)])


def test_independent_runs_put_together_in_one_file_are_told_apart() -> None:
    """``cat run1/XDATCAR run2/XDATCAR``: the numbers of configurations begin anew."""
    first, other = walk(1, 300), walk(2, 300)
    segment = Segment(file="XDATCAR", first_frame=0, n_frames=600, restarts=(300,))
    together = part(np.concatenate([first, other]), "XDATCAR")
    together = Trajectory(
        species=together.species,
        lattices=together.lattices,
        frac=together.frac,
        frame_spacing_fs=10.0,
        segments=(segment,),
    )
    with pytest.raises(TrajectoryError, match=r"XDATCAR: frame 301 lies .* from frame 300, before"):
        join([together])
    assert join([together], consecutive=True).n_frames == 600
    going_on = np.concatenate([first, walk(3, 300, first[-1])])
    whole = Trajectory(
        species=together.species,
        lattices=together.lattices,
        frac=going_on % 1.0,
        frame_spacing_fs=10.0,
        segments=(segment,),
    )
    assert join([whole]).n_frames == 600
