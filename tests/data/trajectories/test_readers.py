"""Readers: dialects, real files of several codes, and files that are broken."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.joining import join
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.data.trajectories.trajectory import Segment, Trajectory, allocate
from ionsieve.data.trajectories.xdatcar import read_xdatcar

HEADER = "run\n{scale}\n {a} 0.0 0.0\n 0.0 5.0 0.0\n 0.5 0.0 6.0\nLi S\n2 1\n"
FRAC = np.array(
    [
        [[0.1, 0.2, 0.3], [0.99, 0.5, 0.25], [0.0, 0.0, 0.0]],
        [[0.12, -0.2, 0.3], [0.01, 0.5, 0.25], [0.0, 1e-3, 0.0]],
        [[0.14, 0.25, 0.31], [0.03, 0.5, 0.25], [0.0, 0.0, 2.5e-1]],
    ]
)


def xdatcar(
    frac=FRAC, scale="1.0", repeat=False, labels=False, title="Direct configuration= {:5d}"
):
    header = HEADER.format(scale=scale, a="4.0")
    text = "" if repeat else header
    for number, frame in enumerate(frac, start=1):
        text += (header if repeat else "") + title.format(number) + "\n"
        for name, row in zip(("Li", "Li", "S"), frame, strict=True):
            text += " ".join(f"{x:.8f}" for x in row) + (f" {name}" if labels else "") + "\n"
    return text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repeat": True},
        {"labels": True},
        {"labels": True, "repeat": True},
        {"title": "Direct configuration= {:8d}   time"},
        {"title": "Direct"},
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_dialects_of_one_run_are_the_same_run(tmp_path, options, packed, line_end):
    content = xdatcar(**options).replace("\n", line_end).encode()
    path = tmp_path / ("XDATCAR.gz" if packed else "XDATCAR")
    path.write_bytes(gzip.compress(content) if packed else content)
    run = read_trajectory([path], frame_spacing_fs=2.0)
    np.testing.assert_array_equal(run.frac, FRAC)
    assert run.species == ("Li", "Li", "S")
    assert run.lattices.shape == (1, 3, 3)
    np.testing.assert_array_equal(run.lattices[0], [[4, 0, 0], [0, 5, 0], [0.5, 0, 6]])


@pytest.mark.parametrize(("scale", "factor"), [("2.0", 2.0), ("-960.0", 2.0)])
def test_scale_line_is_a_factor_or_a_negative_volume(tmp_path, scale, factor):
    (tmp_path / "XDATCAR").write_text(xdatcar(scale=scale))
    run = read_xdatcar(tmp_path / "XDATCAR", 1.0)
    np.testing.assert_allclose(run.lattices[0, 1, 1], 5.0 * factor, rtol=1e-12)


def test_changing_cell_is_kept_frame_by_frame(tmp_path):
    text = "".join(
        HEADER.format(scale="1.0", a=f"{4 + k / 10}")
        + f"Direct configuration= {k + 1}\n"
        + "".join(" ".join(map(str, row)) + "\n" for row in FRAC[k])
        for k in range(3)
    )
    (tmp_path / "XDATCAR").write_text(text)
    run = read_xdatcar(tmp_path / "XDATCAR", 1.0)
    np.testing.assert_allclose(run.lattices[:, 0, 0], [4.0, 4.1, 4.2], rtol=1e-12)


def test_cartesian_and_run_together_columns(tmp_path):
    text = HEADER.format(scale="1.0", a="4.0") + "Cartesian configuration= 1\n"
    text += "2.0 -1.0-3.0\n1.0 1.0 1.0\n0 0 0\n"
    (tmp_path / "XDATCAR").write_text(text)
    run = read_xdatcar(tmp_path / "XDATCAR", 1.0)
    np.testing.assert_allclose(run.frac[0, 0] @ run.lattices[0], [2, -1, -3], rtol=1e-12)


def test_numbers_are_read_as_python_reads_them(tmp_path):
    rng = np.random.default_rng(1)
    words = [f"{x:.15f}" for x in rng.random(6)] + ["-1.5E-03", "2e0", "+.25"]
    text = HEADER.format(scale="1.0", a="4.0") + "Direct configuration= 1\n"
    text += "\n".join(" ".join(words[i : i + 3]) for i in (0, 3, 6)) + "\n"
    (tmp_path / "XDATCAR").write_text(text)
    run = read_xdatcar(tmp_path / "XDATCAR", 1.0)
    expected = np.array([float(w) for w in words]).reshape(3, 3)
    np.testing.assert_allclose(run.frac[0], expected, rtol=3e-16, atol=0)


def test_large_run_goes_through_a_mapped_file(tmp_path):
    frac = np.random.default_rng(2).random((400, 3, 3)).round(8)
    (tmp_path / "XDATCAR").write_text(xdatcar(frac))
    in_memory = read_xdatcar(tmp_path / "XDATCAR", 1.0)
    mapped = read_xdatcar(tmp_path / "XDATCAR", 1.0, in_memory_bytes=1000)
    assert isinstance(mapped.frac, np.memmap)
    np.testing.assert_array_equal(mapped.frac, in_memory.frac)
    assert isinstance(allocate((10, 10), limit_bytes=8), np.memmap)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("title\n", "ends inside"),
        (HEADER.format(scale="1.0", a="4.0"), "frame 1 is missing"),
        (xdatcar()[:-30], "frame 3: cut off after 2 of 3"),
        (xdatcar()[:-50], "frame 3: cut off after 1 of 3"),
        (xdatcar()[:-4], "frame 3: cut off inside the last number"),
        (xdatcar().replace("0.12000000 -0.20000000", "0.12000000 NaN"), "frame 2: atom 1"),
        (xdatcar().replace("0.14000000", "*********"), "frame 3: atom 1"),
        (xdatcar().replace("Li S\n", "Xx S\n"), "symbols"),
        (xdatcar().replace("2 1\n", "2 1 4\n"), "for 3 counts"),
        (xdatcar().replace("2 1\n", "two one\n"), "VASP 5 layout"),
        (xdatcar(repeat=True) + xdatcar(repeat=True).replace("2 1\n", "1 2\n"), "atoms change"),
        (xdatcar().replace(" 5.0 ", " 0.0 "), "flat"),
    ],
)
def test_broken_files_name_file_and_frame(tmp_path, text, message):
    path = tmp_path / "XDATCAR"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=message) as caught:
        read_trajectory([path], frame_spacing_fs=1.0)
    assert "XDATCAR" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_off_gzip_is_refused(tmp_path, share):
    frac = np.random.default_rng(0).random((50, 3, 3))
    content = gzip.compress(xdatcar(frac).encode())
    path = tmp_path / "XDATCAR.gz"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TrajectoryError, match="cut off or damaged"):
        read_trajectory([path], frame_spacing_fs=1.0)


def test_absent_file_folder_and_spacing(tmp_path):
    with pytest.raises(TrajectoryError, match="no such file"):
        read_trajectory([tmp_path / "XDATCAR"], 1.0)
    with pytest.raises(TrajectoryError, match="not a file"):
        read_trajectory([tmp_path], 1.0)
    with pytest.raises(TrajectoryError, match="name at least one"):
        read_trajectory([])
    (tmp_path / "XDATCAR").write_text(xdatcar())
    with pytest.raises(TrajectoryError, match="--frame-spacing-fs"):
        read_trajectory([tmp_path / "XDATCAR"])
    with pytest.raises(TrajectoryError, match="must be positive"):
        read_trajectory([tmp_path / "XDATCAR"], -1.0)


def run_of(frac, name="a", species=("Li", "S"), spacing=1.0, lattice=None):
    lattice = np.eye(3) * 5 if lattice is None else lattice
    return Trajectory(
        species=species,
        lattices=lattice,
        frac=frac,
        frame_spacing_fs=spacing,
        segments=(Segment(file=name, first_frame=0, n_frames=len(frac)),),
    )


def test_overlapping_frames_are_dropped_and_counted():
    frac = np.random.default_rng(3).random((20, 2, 3))
    joined = join([run_of(frac[:12], "a"), run_of(frac[9:] + 1.0, "b")])
    assert joined.n_frames == 20
    assert joined.warnings == ("b: 3 frames repeat the segment before; dropped",)
    assert joined.file_and_frame(12) == "b: frame 1"
    assert joined.file_and_frame(11) == "a: frame 12"
    folded = joined.frac - frac
    np.testing.assert_allclose(folded - np.rint(folded), 0.0, atol=1e-12)


def test_segments_of_other_runs_are_refused():
    frac = np.random.default_rng(3).random((5, 2, 3))
    first = run_of(frac)
    with pytest.raises(TrajectoryError, match="b: its 2 atoms"):
        join([first, run_of(frac, "b", ("S", "Li"))])
    with pytest.raises(TrajectoryError, match="b: frames every 2 fs"):
        join([first, run_of(frac, "b", spacing=2.0)])
    with pytest.raises(TrajectoryError, match="mean cell differs"):
        join([first, run_of(frac, "b", lattice=np.eye(3) * 6)])


LAMMPS = """ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp pp
-1.0 5.5 1.0
0.0 4.5 0.0
0.0 6.0 0.5
ITEM: ATOMS id element {columns}
2 S {second}
1 Li {first}
"""


def lammps_cell():
    # Bounds enclose the tilted cell: a runs from −1 to 4.5, b from 0 to 4.
    return np.array([[5.5, 0, 0], [1.0, 4.0, 0], [0.0, 0.5, 6.0]])


@pytest.mark.parametrize("columns", ["x y z ix iy iz", "xu yu zu", "xs ys zs", "xsu ysu zsu"])
def test_lammps_columns_agree(tmp_path, columns):
    cell, origin = lammps_cell(), np.array([-1.0, 0.0, 0.0])
    frac = np.array([[0.9, 0.5, 0.5], [1.05, 0.5, 0.5]])
    text = ""
    for k, point in enumerate(frac):
        image = np.floor(point).astype(int)
        inside = point - image
        rows = {
            "x y z ix iy iz": (*(inside @ cell + origin), *image),
            "xu yu zu": tuple(point @ cell + origin),
            "xs ys zs": tuple(inside),
            "xsu ysu zsu": tuple(point),
        }
        zero = {"x y z ix iy iz": "-1 0 0 0 0 0", "xu yu zu": "-1 0 0"}.get(columns, "0 0 0")
        text += LAMMPS.format(
            step=100 * k,
            columns=columns,
            first=" ".join(f"{x:.10g}" for x in rows[columns]),
            second=zero,
        )
    (tmp_path / "dump.lammpstrj").write_text(text)
    run = read_trajectory([tmp_path / "dump.lammpstrj"], time_step_fs=2.0)
    assert run.species == ("Li", "S")
    assert run.frame_spacing_fs == 200.0
    np.testing.assert_allclose(run.lattices[0], cell, rtol=1e-12)
    assert run.unwrapped == (columns != "xs ys zs")
    expected = frac - np.floor(frac) if columns == "xs ys zs" else frac
    np.testing.assert_allclose(run.frac[:, 0], expected, rtol=1e-8)


def test_lammps_irregular_steps_and_cut_off(tmp_path):
    frames = [
        LAMMPS.format(step=s, columns="xs ys zs", first="0 0 0", second=".5 .5 .5")
        for s in (0, 10, 30)
    ]
    path = tmp_path / "dump"
    path.write_text("".join(frames))
    with pytest.raises(TrajectoryError, match="frame 3: 20 steps"):
        read_trajectory([path], 1.0)
    path.write_text("".join(frames[:2])[:-12])
    with pytest.raises(TrajectoryError, match="frame 2: cut off"):
        read_trajectory([path], 1.0)


def test_extxyz_with_and_without_regular_times(tmp_path):
    from ase import Atoms
    from ase.io import write

    rng = np.random.default_rng(0)
    frames = [Atoms("Li2S", rng.random((3, 3)) * 5, cell=[5, 6, 7], pbc=True) for _ in range(4)]
    path = tmp_path / "run.extxyz"
    write(path, frames)
    run = read_trajectory([path], 5.0)
    np.testing.assert_allclose(run.frac[2] @ run.lattices[0], frames[2].positions, atol=1e-7)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(TrajectoryError, match=r"run\.extxyz: frame 4"):
        read_trajectory([path], 5.0)
    for time, atoms in zip((0.0, 1.0, 2.0, 9.0), frames, strict=True):
        atoms.info["time_fs"] = time
    write(path, frames)
    with pytest.raises(TrajectoryError, match="frame 4: 7 fs"):
        read_trajectory([path], 5.0)


def test_cp2k_run_with_its_cell(shared_data: Path):
    folder = shared_data / "trajectories" / "Li2S_1000K_gpaw"
    run = read_trajectory([folder / "cp2k_Li2S_5steps-pos-1.xyz"])
    assert (run.n_frames, run.n_atoms, run.frame_spacing_fs) == (5, 12, 1.0)
    np.testing.assert_allclose(run.frac[1, 0] * 5.72, [4.2938740613, 1.4257641948, 4.2870321609])


def test_cp2k_faults(tmp_path, shared_data: Path):
    folder = shared_data / "trajectories" / "Li2S_1000K_gpaw"
    text = (folder / "cp2k_Li2S_5steps-pos-1.xyz").read_text()
    path = tmp_path / "x-pos-1.xyz"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=r"x-1\.cell"):
        read_trajectory([path])
    cell = folder / "cp2k_Li2S_5steps-1.cell"
    with pytest.raises(TrajectoryError, match="1 fs apart"):
        read_trajectory([path], 2.0, cell=cell)
    path.write_text(text[:-200])
    with pytest.raises(TrajectoryError, match="frame 5: cut off"):
        read_trajectory([path], cell=cell)


def test_gpaw_and_ase_trajectories(shared_data: Path):
    folder = shared_data / "trajectories"
    run = read_trajectory([folder / "Li2S_1000K_gpaw" / "md.traj"], 1.0)
    assert (run.n_frames, run.n_atoms) == (401, 12)
    run = read_trajectory([folder / "Li5NCl2" / "example_ase.traj"], 1.0)
    assert (run.n_frames, run.species.count("Li")) == (200, 180)


def test_format_traps(shared_data: Path):
    folder = shared_data / "trajectories" / "format_traps"
    run = read_trajectory([folder / "XDATCAR_traj_combine_test_full"], 2.0)
    assert (run.n_frames, run.n_atoms) == (200, 76)
    np.testing.assert_array_equal(run.frac[-1, -1], [0.882439, 0.559528, 0.125204])
    run = read_trajectory([folder / "vasprun.md.xml.gz"])
    assert (run.n_frames, run.frame_spacing_fs) == (10, 3.0)
    with pytest.raises(TrajectoryError, match="not equally spaced"):
        read_trajectory([folder / "vasprun.ml_md.xml.gz"])


def test_cut_off_vasprun_and_traj(tmp_path, shared_data: Path):
    folder = shared_data / "trajectories"
    whole = gzip.decompress((folder / "format_traps" / "vasprun.md.xml.gz").read_bytes())
    path = tmp_path / "vasprun.xml"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrajectoryError, match=r"vasprun\.xml"):
        read_trajectory([path])
    kept = read_trajectory([path], 3.0, torn_end=True)
    whole_run = read_trajectory([folder / "format_traps" / "vasprun.md.xml.gz"], 3.0)
    assert 1 <= kept.n_frames < whole_run.n_frames
    np.testing.assert_array_equal(kept.frac, whole_run.frac[: kept.n_frames])
    assert "cut off" in kept.warnings[0]
    whole = (folder / "Li2S_1000K_gpaw" / "md.traj").read_bytes()
    path = tmp_path / "md.traj"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrajectoryError, match=r"md\.traj: frame"):
        read_trajectory([path], 1.0)


XYZ = "2\n i = {0}, time = {1}, E = -1.0\nLi 0.10 0.20 {2:.4f}\nH 1.00 1.00 1.0000\n"
XDATCAR = "Direct configuration= {0}\n 0.10 0.20 {2:.8f}\n 0.50 0.50 0.50000000\n"
CELL = "".join(f"{k} {k}.0 4 0 0 0 4 0 0 0 4 64\n" for k in range(4))


@pytest.mark.parametrize("dialect", ["xyz", "xdatcar"])
def test_cut_at_any_byte_the_whole_frames_are_kept(tmp_path, dialect: str):
    (tmp_path / "run-1.cell").write_text(CELL)
    head = "" if dialect == "xyz" else "t\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi H\n1 1\n"
    path = tmp_path / ("run-pos-1.xyz" if dialect == "xyz" else "XDATCAR")
    template = XYZ if dialect == "xyz" else XDATCAR
    frames = [template.format(k, float(k), 0.3 + 0.01 * k) for k in range(3)]
    path.write_text(head + "".join(frames))
    whole = read_trajectory([path], 1.0)
    for cut in range(len(head + frames[0]), len(head + "".join(frames)) + 1):
        path.write_text((head + "".join(frames))[:cut])
        kept = read_trajectory([path], 1.0, torn_end=True)
        n = 1 + (cut >= len(head + frames[0] + frames[1])) + (cut == len(head + "".join(frames)))
        assert kept.n_frames == n, cut
        np.testing.assert_array_equal(kept.frac, whole.frac[:n])


def test_archive_is_never_unpickled(tmp_path):
    path = tmp_path / "positions.npz"
    np.savez(path, disp=np.array([object()]), latt=np.eye(3), species=["Li"], frac0=[[0, 0, 0]])
    with pytest.raises(TrajectoryError, match=r"positions\.npz"):
        read_trajectory([path], 1.0)
