"""Sizes announced, archives damaged: one line that names the file, and no room made before."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.limits import MAX_ATOMS, checked_count
from ionsieve.data.trajectories.readers import read_trajectory

CELL = "10 0 0\n0 10 0\n0 0 10\n"
BOX = "ITEM: BOX BOUNDS pp pp pp\n0 10\n0 10\n0 10\nITEM: ATOMS id element xu yu zu\n1 Li 0 0 0\n"
LATTICE = 'Lattice="10 0 0 0 10 0 0 0 10" Properties=species:S:1:pos:R:3'


def xdatcar(count: str) -> str:
    return f"x\n1.0\n{CELL}Li\n{count}\nDirect configuration= 1\n0 0 0\n"


def dump(count: str) -> str:
    return f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{count}\n{BOX}"


def xyz(count: str) -> str:
    return f"{count}\ni = 1, time = 0.5\nLi 0 0 0\n"


def extxyz(count: str) -> str:
    return f"{count}\n{LATTICE}\nLi 0 0 0\n"


@pytest.mark.parametrize("count", ["1000000000", "1000000000000", "9" * 30, "-5", "0", "9" * 5000])
@pytest.mark.parametrize(
    ("name", "text"),
    [("XDATCAR", xdatcar), ("a.dump", dump), ("a.xyz", xyz), ("b.extxyz", extxyz)],
)
def test_announced_atoms(tmp_path: Path, name: str, text: object, count: str) -> None:
    path = tmp_path / name
    path.write_text(text(count))
    (tmp_path / "a.cell").write_text("# cell\n1 0 10 0 0 0 10 0 0 0 10 1000\n")
    with pytest.raises(TrajectoryError) as error:
        read_trajectory([path], frame_spacing_fs=1.0)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("count", [1, MAX_ATOMS])
def test_counts_of_real_runs_pass(count: int) -> None:
    assert checked_count(count, "x") == count


def frames() -> str:
    step = f"{CELL}Li\n1\n"
    return f"x\n1.0\n{step}" + "".join(
        f"Direct configuration= {n}\n0.{n} 0.1 0.2\n" for n in range(1, 300)
    )


@pytest.mark.parametrize("name", ["XDATCAR.gz", "a.lammpstrj.gz", "a.dump.gz", "a.xyz.gz"])
@pytest.mark.parametrize("place", [3, 15, 40, 90, -3, None])
def test_damaged_gzip(tmp_path: Path, name: str, place: int | None) -> None:
    packed = bytearray(gzip.compress(frames().encode()))
    if place is None:
        del packed[len(packed) // 2 :]
    else:
        packed[place] ^= 0xFF
    (tmp_path / name).write_bytes(bytes(packed))
    try:
        read_trajectory([tmp_path / name], frame_spacing_fs=1.0)
    except TrajectoryError as error:
        message = str(error)
    else:
        message = f"{name}: unharmed"  # a bit of the header that nothing hangs on
    assert name in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["XDATCAR.gz", "a.dump.gz", "a.xyz.gz"])
def test_a_line_without_end(tmp_path: Path, name: str) -> None:
    head = {"XDATCAR.gz": f"x\n1.0\n{CELL}Li\n1\n", "a.dump.gz": "ITEM: TIMESTEP\n"}.get(name, "")
    path = tmp_path / name
    path.write_bytes(gzip.compress(head.encode() + b"1" * 40_000_000, 1))
    with pytest.raises(TrajectoryError, match=r"a line of more than 1,000,000 characters"):
        read_trajectory([path], frame_spacing_fs=1.0)


def archive(**changed: object) -> dict[str, object]:
    arrays = {
        "disp": np.zeros((3, 2, 3)),
        "latt": np.eye(3) * 5,
        "species": np.array(["Li", "Cl"]),
        "frac0": np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
    }
    return {**arrays, **changed}


def announcing(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + b"\0" * 64


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **archive())
    assert read_trajectory([path], frame_spacing_fs=1.0).n_frames == 3
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(bytes(damaged))
        try:
            read_trajectory([path], frame_spacing_fs=1.0)
        except TrajectoryError as error:
            message = str(error)
        else:
            message = "a.npz: unharmed"
        assert "a.npz" in message


def test_an_archive_that_announces_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as writer:
        for name in ("disp", "latt", "species", "frac0"):
            writer.writestr(f"{name}.npy", announcing((10**12, 2, 3)))
    with pytest.raises(TrajectoryError, match=r"a\.npz: disp\.npy announces"):
        read_trajectory([path], frame_spacing_fs=1.0)


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer,
        writer.open("disp.npy", "w") as stream,
    ):
        for _ in range(61):
            stream.write(bytes(10_000_000))
    with pytest.raises(TrajectoryError, match="unpacks to 610 MB"):
        read_trajectory([path], frame_spacing_fs=1.0)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **archive(species=np.array(["Li", object()], dtype=object)))
    with pytest.raises(TrajectoryError, match=r"species\.npy announces"):
        read_trajectory([path], frame_spacing_fs=1.0)
