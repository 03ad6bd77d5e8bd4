"""A made-up run of Li2B12H12 whose site occupancies are known: fcc anions, tet/trig/lin sites."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

EDGE_A = 9.577
MULTIPLE = np.array([2, 2, 1])
ANIONS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
TET = np.array([[a, b, c] for a in (0.25, 0.75) for b in (0.25, 0.75) for c in (0.25, 0.75)])


def fcc(points):
    """Images of points under the face centrings."""
    every = (np.asarray(points)[:, None] + ANIONS[None]).reshape(-1, 3) % 1.0
    return np.unique(np.round(every, 6) % 1.0, axis=0)


# Faces of the tetrahedra of anions, and midpoints between neighbouring anions.
TRIG = fcc(
    [[s * x, t * x, u * x] for x in (1 / 3,) for s in (1, -1) for t in (1, -1) for u in (1, -1)]
)
LIN = fcc(
    [
        [0.25, 0.25, 0],
        [0.25, 0.75, 0],
        [0.25, 0, 0.25],
        [0.25, 0, 0.75],
        [0, 0.25, 0.25],
        [0, 0.25, 0.75],
    ]
)
SITES = (TET, TRIG, LIN)


def icosahedron():
    """B12H12 about the origin in an orientation with cubic (m-3) symmetry, Å: boron, hydrogen."""
    golden = (1 + np.sqrt(5)) / 2
    corner = np.array([[0, s, t * golden] for s in (1, -1) for t in (1, -1)])
    corner = np.concatenate([np.roll(corner, k, axis=1) for k in range(3)])
    corner = corner / np.linalg.norm(corner[0])
    return np.concatenate([1.70 * corner, 2.90 * corner])


def write_cif(path: Path) -> None:
    """Structure with all sites of lithium, in P1 as programs print it."""
    rows = [
        ("B" if k < 12 else "H", centre + place / EDGE_A)
        for centre in ANIONS
        for k, place in enumerate(icosahedron())
    ]
    rows += [("Li", place) for sites in SITES for place in sites]
    lines = ["data_x", "_symmetry_space_group_name_H-M 'P 1'"]
    lines += [f"_cell_length_{e} {EDGE_A}" for e in "abc"]
    lines += [f"_cell_angle_{e} 90" for e in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", "'x, y, z'", "loop_"]
    lines += [f"_atom_site_{k}" for k in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    for number, (element, place) in enumerate(rows):
        x, y, z = place % 1.0
        lines.append(f"{element}{number} {element} {x:.5f} {y:.5f} {z:.5f}")
    path.write_text("\n".join(lines) + "\n")


def fillings(occupancies, rng):
    """Whole numbers of ions on each type, now and then another, right on average and in sum."""
    n_sites = np.array([len(s) for s in SITES]) * MULTIPLE.prod()
    wanted = np.array(occupancies) * n_sites
    while True:
        counts = np.floor(wanted + rng.random(3)).astype(int)
        counts[1] = round(wanted.sum()) - counts[0] - counts[2]
        yield counts


def write_run(path, occupancies, residence, n_frames=240, turning=False, seed=0):
    """Write an XDATCAR; return the mean occupancy of each type that was realised."""
    rng = np.random.default_rng(seed)
    cells = np.array(list(np.ndindex(*MULTIPLE)))
    places = [((s[:, None] + cells[None]) / MULTIPLE).reshape(-1, 3) for s in SITES]
    centres = ((ANIONS[:, None] + cells[None]) / MULTIPLE).reshape(-1, 3)
    edges = EDGE_A * MULTIPLE
    anion = icosahedron()
    n_li = round(sum(p * len(s) for p, s in zip(occupancies, places, strict=True)))
    n = len(centres)
    text = [
        "Li2B12H12",
        "1.0",
        *(" ".join(map(str, r)) for r in np.diag(edges)),
        "Li B H",
        f"{n_li} {12 * n} {12 * n}",
    ]
    total, filling = np.zeros(3), fillings(occupancies, rng)
    turns = Rotation.identity(n)
    for frame in range(n_frames):
        if frame % residence == 0:
            counts = next(filling)
            chosen = [
                rng.choice(len(s), k, replace=False) for s, k in zip(places, counts, strict=True)
            ]
            ions = np.concatenate([s[c] for s, c in zip(places, chosen, strict=True)])
            ions = rng.permutation(ions)
        total += counts
        if turning:
            turns = Rotation.from_rotvec(rng.normal(0, 0.3, (n, 3))) * turns
        whole = np.array([turns[k].apply(anion) for k in range(n)])
        whole = centres[:, None] + whole / edges
        atoms = np.concatenate([whole[:, :12].reshape(-1, 3), whole[:, 12:].reshape(-1, 3)])
        frac = np.concatenate([ions, atoms])
        frac = (frac + rng.normal(0, 0.12, frac.shape) / edges + 0.137) % 1.0
        text.append(f"Direct configuration={frame + 1:6d}")
        text += [f"{x:.6f} {y:.6f} {z:.6f}" for x, y, z in frac]
    path.write_text("\n".join(text) + "\n")
    return total / n_frames / np.array([len(s) for s in places])
