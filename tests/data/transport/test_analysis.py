"""Verdicts, errors and bounds: walks with known diffusivity, real runs, published numbers."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.diffusion import (
    SITE_DISTANCE_A,
    diffusivity_from_msd,
    effective_hops,
    fit_window,
    he_relative_error,
)

EDGE_A = 12.0
SPACING_FS = 100.0
SETTINGS = AnalysisSettings(mobile="Li", temperature_K=500.0, structure_id="synthetic")


def crystal(rng, n_frames, amplitude=0.15):
    """32 framework atoms that vibrate about a grid."""
    grid = np.stack(np.meshgrid(*[np.arange(4) * 3.0] * 3), axis=-1).reshape(-1, 3)[:32]
    return grid + rng.normal(0, amplitude, (n_frames, 32, 3))


def run_of(ions, framework, spacing_fs=SPACING_FS):
    frac = np.concatenate([ions, framework], axis=1) / EDGE_A
    species = ("Li",) * ions.shape[1] + ("S",) * framework.shape[1]
    return Trajectory(
        species=species,
        lattices=np.eye(3) * EDGE_A,
        frac=frac - np.floor(frac),
        frame_spacing_fs=spacing_fs,
    )


def hops(rng, n_frames, n_ions, rate):
    """Cubic lattice walk of hop length 3 Å, ``rate`` hops a frame, on top of vibration."""
    axis = rng.integers(0, 3, (n_frames, n_ions, 1))
    length = rng.choice([-3.0, 3.0], (n_frames, n_ions, 1)) * (
        rng.random((n_frames, n_ions, 1)) < rate
    )
    steps = np.zeros((n_frames, n_ions, 3))
    np.put_along_axis(steps, axis, length, 2)
    start = rng.random((n_ions, 3)) * EDGE_A
    return start + np.cumsum(steps, axis=0) + rng.normal(0, 0.25, (n_frames, n_ions, 3))


def cage(rng, n_frames, n_ions, amplitude=0.45, memory=0.7):
    """Overdamped rattling about fixed sites."""
    out = np.empty((n_frames, n_ions, 3))
    out[0] = rng.normal(0, amplitude, (n_ions, 3))
    for frame in range(1, n_frames):
        kick = rng.normal(0, amplitude * np.sqrt(1 - memory**2), (n_ions, 3))
        out[frame] = memory * out[frame - 1] + kick
    return out + rng.random((n_ions, 3)) * EDGE_A


def full_cages(rng, n_frames, n_cages, rate=0.3, radius=2.4):
    """Six ions on the six corners of each cage, exchanging in pairs: tracer motion, no charge."""
    corners = np.concatenate([np.eye(3), -np.eye(3)]) * radius
    place = np.tile(np.arange(6), (n_cages, 1))
    out = np.empty((n_frames, n_cages, 6, 3))
    for frame in range(n_frames):
        for number in np.flatnonzero(rng.random(n_cages) < rate):
            first, second = rng.choice(6, 2, replace=False)
            place[number, [first, second]] = place[number, [second, first]]
        out[frame] = corners[place]
    out += rng.random((n_cages, 1, 3)) * EDGE_A
    return out.reshape(n_frames, -1, 3) + rng.normal(0, 0.2, (n_frames, 6 * n_cages, 3))


@pytest.mark.parametrize(("n_ions", "n_eff"), [(8, 60), (20, 60), (8, 600), (20, 600)])
def test_intervals_cover_the_truth_of_lattice_walks(n_ions, n_eff):
    rng = np.random.default_rng(20240 + n_ions + n_eff)
    n_frames, replicates = 1000, 100
    rate = n_eff / n_ions / n_frames
    true_cm2_s = rate * 9.0 / 6.0 * 0.1 / SPACING_FS
    covered, found = 0, []
    for _ in range(replicates):
        label = analyse(run_of(hops(rng, n_frames, n_ions, rate), crystal(rng, n_frames)), SETTINGS)
        # Whatever the verdict, nothing else than these two may come of a walk.
        assert label.verdict in ("diffusive", "too_short")
        if label.fit is None:
            continue
        found.append(label.fit.diffusivity_cm2_s)
        covered += label.fit.low_cm2_s <= true_cm2_s <= label.fit.high_cm2_s
        assert label.fit.rel_error >= he_relative_error(label.n_eff)
    assert len(found) >= 90
    assert 0.90 <= covered / len(found) <= 0.99
    assert np.mean(found) == pytest.approx(true_cm2_s, rel=0.1)


def test_haven_interval_covers_one_for_independent_ions():
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(40):
        label = analyse(run_of(hops(rng, 1000, 20, 0.03), crystal(rng, 1000)), SETTINGS)
        assert label.haven_ratio is not None
        inside.append(label.haven_ratio[0] <= 1.0 <= label.haven_ratio[1])
    assert 0.87 <= np.mean(inside) <= 1.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_ions", [8, 20, 60])
def test_rattling_is_confined(seed, n_ions):
    rng = np.random.default_rng(seed)
    label = analyse(run_of(cage(rng, 500, n_ions), crystal(rng, 500)), SETTINGS)
    assert label.verdict == "confined"
    assert label.fit is None
    assert label.haven_ratio is None
    assert label.diffusivity_upper_cm2_s is not None
    # One hop of one ion in fifty picoseconds is what such a run can just see.
    assert label.diffusivity_upper_cm2_s < 2e-5


@pytest.mark.parametrize("seed", range(3))
def test_walk_within_walls_is_confined(seed):
    rng = np.random.default_rng(seed)
    ions = np.zeros((1000, 24, 3))
    for frame in range(1, 1000):
        tried = ions[frame - 1] + rng.normal(0, 0.25, (24, 3))
        inside = np.linalg.norm(tried, axis=1, keepdims=True) < 2.2
        ions[frame] = np.where(inside, tried, ions[frame - 1])
    ions += rng.random((24, 3)) * EDGE_A
    assert analyse(run_of(ions, crystal(rng, 1000)), SETTINGS).verdict == "confined"


def test_motion_along_channels_widens_the_haven_interval():
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(30):
        ions = np.cumsum(rng.normal(0, 0.4, (1000, 12, 3)) * [1.0, 0.0, 0.0], axis=0)
        label = analyse(run_of(ions, crystal(rng, 1000)), SETTINGS)
        assert label.verdict == "diffusive"
        if label.haven_ratio is not None:
            inside.append(label.haven_ratio[0] <= 1.0 <= label.haven_ratio[1])
    assert len(inside) > 20
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize("seed", range(5))
def test_exchange_within_full_cages_is_confined_whatever_the_number_of_hops(seed):
    rng = np.random.default_rng(seed)
    label = analyse(run_of(full_cages(rng, 700, 12, rate=0.05), crystal(rng, 700)), SETTINGS)
    assert label.verdict == "confined"
    assert label.n_eff > 60
    assert label.fit is None


@pytest.mark.parametrize("step", [0.05, 0.15])
def test_walking_framework_is_molten(step):
    rng = np.random.default_rng(1)
    framework = crystal(rng, 500) + np.cumsum(rng.normal(0, step, (500, 32, 3)), axis=0)
    label = analyse(run_of(hops(rng, 500, 16, 0.1), framework), SETTINGS)
    assert label.verdict == "molten"
    assert label.as_dict()["diffusivity_cm2_s"] is None
    assert label.label() is None


def test_rotating_ligands_are_not_molten():
    rng = np.random.default_rng(2)
    centre = np.stack(np.meshgrid(*[np.arange(2) * 6.0] * 3), axis=-1).reshape(-1, 3)
    n = 800
    arms = rng.normal(size=(8, 4, 3))
    angles = np.cumsum(rng.normal(0, 0.15, (n, 8, 4, 3)), axis=0) + arms
    ligands = centre[:, None] + 2.05 * angles / np.linalg.norm(angles, axis=-1, keepdims=True)
    framework = np.concatenate(
        [np.broadcast_to(centre, (n, 8, 3)), ligands.reshape(n, 32, 3)], axis=1
    )
    frac = np.concatenate([cage(rng, n, 16), framework], axis=1) / EDGE_A
    run = Trajectory(
        species=("Li",) * 16 + ("P",) * 8 + ("S",) * 32,
        lattices=np.eye(3) * EDGE_A,
        frac=frac % 1.0,
        frame_spacing_fs=SPACING_FS,
    )
    assert analyse(run, SETTINGS).verdict == "confined"


def test_flight_is_not_diffusion():
    velocity = np.array([0.02, 0.01, 0.03])
    ions = np.arange(400)[:, None, None] * velocity + np.zeros((1, 6, 1))
    label = analyse(run_of(ions, np.zeros((400, 4, 3)) + 1.0), SETTINGS)
    assert label.verdict == "too_short"
    assert "flight" in label.evidence.reason
    lag_frames = round(5000 / SPACING_FS)
    assert label.as_dict()["msd_A2"]["5"] == pytest.approx(
        (velocity @ velocity) * lag_frames**2, rel=1e-9
    )


def test_two_frames_and_an_all_mobile_cell_give_an_answer():
    rng = np.random.default_rng(3)
    ions = hops(rng, 800, 20, 0.05)
    label = analyse(run_of(ions, np.empty((800, 0, 3))), SETTINGS)
    assert label.verdict == "diffusive"
    assert any("every atom is mobile" in text for text in label.warnings)
    short = analyse(run_of(ions[:2], np.empty((2, 0, 3))), SETTINGS)
    assert short.verdict == "too_short"
    json.dumps(short.as_dict(), allow_nan=False)


def test_answer_does_not_depend_on_origin_order_or_orientation():
    rng = np.random.default_rng(4)
    ions, framework = hops(rng, 600, 12, 0.05), crystal(rng, 600)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    base = analyse(run_of(ions, framework), SETTINGS)
    moved = analyse(run_of(ions[:, ::-1] + 3.7, framework[:, ::-1] + 3.7), SETTINGS)
    frac = np.concatenate([ions, framework], axis=1) / EDGE_A
    turned = analyse(
        Trajectory(
            species=("Li",) * 12 + ("S",) * 32,
            lattices=np.eye(3) * EDGE_A @ rotation,
            frac=frac % 1.0,
            frame_spacing_fs=SPACING_FS,
        ),
        SETTINGS,
    )
    for other in (moved, turned):
        assert other.verdict == base.verdict == "diffusive"
        assert other.fit is not None
        assert base.fit is not None
        assert other.fit.diffusivity_cm2_s == pytest.approx(base.fit.diffusivity_cm2_s, rel=1e-8)
        assert other.fit.high_cm2_s == pytest.approx(base.fit.high_cm2_s, rel=1e-8)


def test_ambiguous_steps_withhold_the_value():
    rng = np.random.default_rng(6)
    ions = np.cumsum(rng.normal(0, 3.0, (400, 8, 3)), axis=0)
    label = analyse(run_of(ions, crystal(rng, 400)), SETTINGS)
    assert label.fit is None
    assert any("half a cell" in text for text in label.warnings)


def test_settings_are_checked():
    run = run_of(np.zeros((9, 2, 3)), np.ones((9, 2, 3)))
    with pytest.raises(TrajectoryError, match="temperature"):
        analyse(run, AnalysisSettings(mobile="Li", temperature_K=-5.0))
    with pytest.raises(TrajectoryError, match="--charge"):
        analyse(
            Trajectory(
                species=("Xe", "S"),
                lattices=np.eye(3) * 5,
                frac=np.zeros((9, 2, 3)),
                frame_spacing_fs=1.0,
            ),
            AnalysisSettings(mobile="Xe", temperature_K=300.0),
        )
    with pytest.raises(TrajectoryError, match="0 of 9 frames"):
        analyse(run, AnalysisSettings(mobile="Li", temperature_K=300.0, equilibration_ps=100.0))


def test_latp_numbers(shared_data: Path):
    """LATP at 1500 K, mogroupumd/aimd (MIT): D, N_eff and error printed by its own test."""
    table = np.genfromtxt(
        shared_data / "trajectories" / "LLZO_arrhenius" / "msd-t.csv", delimiter=",", skip_header=1
    )
    fit = diffusivity_from_msd(table[:, 0], table[:, 1], n_mobile=8, site_distance_A=3.2)
    assert fit.diffusivity_cm2_s == pytest.approx(7.60175023036e-05, rel=1e-6)
    assert fit.n_eff == pytest.approx(100.48841284, rel=1e-8)
    assert fit.rel_error == pytest.approx(0.382165427856, rel=1e-8)


def test_a_flat_msd_is_refused():
    assert fit_window(np.full(100, 5.0)) is None
    assert fit_window(np.linspace(0, 8.9, 200)) is None
    with pytest.raises(TrajectoryError, match="rises by less than"):
        diffusivity_from_msd(np.arange(100.0), np.full(100, 5.0), 10)
    assert effective_hops(np.array([0.0, 18.0]), 5, SITE_DISTANCE_A) == 10.0
    assert he_relative_error(0.0) == np.inf


ARGYRODITES = {
    "Li6PS5Cl/0p": ("confined", (1.8907, 5.0116, 7.4362, 10.1663), 1.331),
    "Li6PS5Cl/50p": ("diffusive", (1.7001, 5.2743, 9.1976, 15.9467), 13.919),
    "Li6PS5I/0p": ("confined", (1.1403, 2.0011, 2.9039, 4.5584), 0.580),
}


@pytest.mark.parametrize("system", ARGYRODITES)
def test_argyrodites_at_500_K(shared_data: Path, system):
    """B. J. Morgan, 10.1021/acs.chemmater.0c03738: ordered cells are caged, disorder diffuses."""
    folder = shared_data / "trajectories" / "argyrodites_500K" / system
    run = read_trajectory(sorted(folder.glob("*.gz")), SPACING_FS)
    label = analyse(run, SETTINGS)
    verdict, msd, collective = ARGYRODITES[system]
    assert label.verdict == verdict
    assert label.n_frames == 700
    assert label.n_equilibration_frames == 0
    result = label.as_dict()
    assert list(result["msd_A2"].values()) == pytest.approx(msd, rel=1e-4)
    assert result["collective_msd_A2"]["10"] == pytest.approx(collective, rel=1e-3)
    assert (result["sigma_mS_cm"] is None) == (verdict == "confined")
    assert (result["diffusivity_upper_cm2_s"] is None) == (verdict == "diffusive")
    assert label.warnings == ()


def test_no_part_of_a_caged_run_passes_for_diffusion(shared_data: Path):
    folder = shared_data / "trajectories" / "argyrodites_500K"
    for system in ("Li6PS5Cl/0p", "Li6PS5I/0p"):
        files = sorted((folder / system).glob("*.gz"))
        for start in range(len(files)):
            for stop in range(start + 1, len(files) + 1, 2):
                run = read_trajectory(files[start:stop], SPACING_FS)
                assert analyse(run, SETTINGS).verdict in ("confined", "too_short")


def test_segments_in_wrong_order_are_noticed(shared_data: Path):
    files = sorted(
        (shared_data / "trajectories" / "argyrodites_500K" / "Li6PS5Cl" / "50p").glob("*.gz")
    )
    with pytest.raises(TrajectoryError, match="independent runs, or not in order"):
        read_trajectory([files[0], files[2]], SPACING_FS)
    run = read_trajectory([files[0], files[2]], SPACING_FS, consecutive=True)
    label = analyse(run, SETTINGS)
    assert len(label.warnings) == 1
    assert "frame 141 of the joined run" in label.warnings[0]
    assert "run3.XDATCAR.gz: frame 1" in label.warnings[0]


def test_lgps_is_too_short(shared_data: Path):
    path = shared_data / "trajectories" / "LGPS_600K" / "positions_unwrapped.npz"
    label = analyse(
        read_trajectory([path], 20.0), AnalysisSettings(mobile="Li", temperature_K=600.0)
    )
    assert label.verdict == "too_short"
    assert label.n_eff == pytest.approx(3.74, abs=0.01)
    assert "3.7 effective hops" in label.evidence.reason
    assert label.fit is None
    assert label.diffusivity_upper_cm2_s is not None


def test_a_run_shows_itself_in_a_line_and_a_table():
    rng = np.random.default_rng(1)
    confined = analyse(run_of(cage(rng, 500, 8), crystal(rng, 500)), SETTINGS)
    assert re.fullmatch(r"<Li at \d+ K: confined, σ below [\d.e-]+ mS/cm>", repr(confined))
    walk = analyse(run_of(hops(rng, 1000, 20, 0.02), crystal(rng, 1000)), SETTINGS)
    assert re.fullmatch(r"<Li at \d+ K: diffusive, σ \S+ \[\S+, \S+\] mS/cm>", repr(walk))
    page = replace(walk, warnings=("<script>",))._repr_html_()
    assert "<td>diffusivity_cm2_s</td>" in page
    assert "<script>" not in page
