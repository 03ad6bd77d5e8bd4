"""Compiled loops of :mod:`.domain`."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def embed(values, centre, scale, reach, root, points):  # type: ignore[no-untyped-def]
    """Scaled values (n, p), then whether they are missing, into ``points`` (n, 2 p)."""
    n, p = values.shape
    for i in range(n):
        for j in range(p):
            scaled = (values[i, j] - centre[j]) / scale[j]
            missing = np.isnan(scaled)
            scaled = 0.0 if missing else min(max(scaled, -reach), reach)
            points[i, j] = np.float32(scaled) / root
            points[i, p + j] = np.float32(missing) / root


@numba.njit(cache=True)
def apart(points, reference, nearest, distance):  # type: ignore[no-untyped-def]
    """Distance of each point to one row of the reference, in double precision."""
    for i in range(len(points)):
        other, square = reference[nearest[i]], 0.0
        for j in range(len(other)):
            difference = np.float64(points[i, j]) - np.float64(other[j])
            square += difference * difference
        distance[i] = np.sqrt(square)
