"""Walks with known diffusivity in a crystal at rest."""

import numpy as np

from ionsieve.data.trajectories.trajectory import Trajectory

HOP_A = 3.0
EDGE_A = 12.0
SPACING_FS = 100.0


def lattice_walk(rng, n_frames, n_ions, rate, dimension, vibration_A=0.25):
    """Hops of 3 Å along the first axes, ``rate`` hops a frame, from random places."""
    axis = rng.integers(0, dimension, (n_frames, n_ions, 1))
    hops = rng.random((n_frames, n_ions, 1)) < rate
    steps = np.zeros((n_frames, n_ions, 3))
    np.put_along_axis(steps, axis, rng.choice([-HOP_A, HOP_A], hops.shape) * hops, 2)
    start = rng.random((n_ions, 3)) * EDGE_A
    shaken = rng.normal(0, vibration_A, (n_frames, n_ions, 3))
    return start + np.cumsum(steps, axis=0) + shaken


def single_file(rng, n_frames, n_channels, n_sites, n_ions, rate):
    """Exclusion process on rings along x; positions (n_frames, channels × ions, 3), Å.

    Its charge diffusivity is known: rate × hop² / 2 × (1 − filling) × n/(n − 1) along x.
    """
    place = np.array(
        [np.sort(rng.choice(n_sites, n_ions, replace=False)) for _ in range(n_channels)]
    )
    taken = np.zeros((n_channels, n_sites), dtype=bool)
    np.put_along_axis(taken, place, True, 1)
    walked = place.copy()
    out = np.empty((n_frames, n_channels, n_ions))
    for frame, attempts in enumerate(rng.poisson(rate * n_channels * n_ions, n_frames)):
        for _ in range(attempts):
            c, i, step = rng.integers(n_channels), rng.integers(n_ions), rng.choice([-1, 1])
            here, there = place[c, i], (place[c, i] + step) % n_sites
            if not taken[c, there]:
                taken[c, here], taken[c, there] = False, True
                place[c, i], walked[c, i] = there, walked[c, i] + step
        out[frame] = walked
    grid = np.stack(np.meshgrid([0, 3, 6, 9], [0, 3, 6, 9]), -1).reshape(-1, 2)[:n_channels]
    places = np.zeros((n_frames, n_channels * n_ions, 3))
    places[:, :, 0] = HOP_A * out.reshape(n_frames, -1)
    places[:, :, 1:] = np.repeat(grid, n_ions, axis=0)
    return places + rng.normal(0, 0.25, places.shape)


def run_of(rng, ions, species="Li", edge_x_A=EDGE_A):
    """Trajectory of the ions among 32 sulphur atoms that vibrate about a grid."""
    grid = np.stack(np.meshgrid(*[np.arange(4) * 3.0] * 3), axis=-1).reshape(-1, 3)[:32]
    host = grid + rng.normal(0, 0.15, (len(ions), 32, 3))
    edges = np.array([edge_x_A, EDGE_A, EDGE_A])
    frac = np.concatenate([ions, host], axis=1) / edges
    names = (species,) * ions.shape[1] if isinstance(species, str) else tuple(species)
    return Trajectory(
        species=(*names, *("S",) * 32),
        lattices=np.diag(edges),
        frac=frac - np.floor(frac),
        frame_spacing_fs=SPACING_FS,
    )
