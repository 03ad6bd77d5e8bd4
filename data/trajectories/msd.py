"""Mean squared displacement over every lag and every time origin, by FFT.

⟨|r(t + τ) − r(t)|²⟩ splits into sums of |r|², which a cumulative sum gives, and an autocorrelation,
which the Wiener–Khinchin theorem gives (Kneller 1995, 10.1016/0010-4655(95)00048-K). The spectra of
all components are summed first, so a single inverse transform serves all ions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import fft

from .trajectory import FloatArray

_CHUNK_BYTES: Final[int] = 1 << 27
_ORIGINS: Final[int] = 4096


def mean_squared_displacement(positions_A: FloatArray) -> FloatArray:
    """MSD of a set of ions, averaged over ions and time origins.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
        Unwrapped positions.

    Returns
    -------
    array (n_frames,), Å²
        Element k is the MSD at a lag of k frames; element 0 is 0.
    """
    return _summed(positions_A) / positions_A.shape[1]


def collective_msd(positions_A: FloatArray) -> FloatArray:
    """MSD of the charge displacement, per ion: ⟨|Σᵢ Δrᵢ(τ)|²⟩ / N.

    For ions that move independently it equals the MSD; its slope over six is the charge diffusivity
    whose ratio to the tracer diffusivity is the inverse Haven ratio.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
        Unwrapped positions of ions of one charge.

    Returns
    -------
    array (n_frames,), Å²
    """
    return _summed(positions_A.sum(axis=1, keepdims=True)) / positions_A.shape[1]


def _summed(positions_A: FloatArray) -> FloatArray:
    """Σ over ions of the MSD of each; memory is bounded whatever the number of ions."""
    n_frames = positions_A.shape[0]
    n_fft = fft.next_fast_len(2 * n_frames - 1, real=True)
    spectrum = np.zeros(n_fft // 2 + 1)
    squares = np.zeros(n_frames)
    chunk = max(1, _CHUNK_BYTES // (48 * n_fft))
    # Positions about a common origin lose digits to cancellation: start every ion at its mean.
    for first in range(0, positions_A.shape[1], chunk):
        block = positions_A[:, first : first + chunk].reshape(n_frames, -1).T
        block = block - block.mean(axis=1, keepdims=True)
        squares += np.einsum("ij,ij->j", block, block)
        for row in block:
            transform = fft.rfft(row, n_fft)
            spectrum += transform.real**2 + transform.imag**2
    correlation = fft.irfft(spectrum, n_fft)[:n_frames]
    msd = (_sum_of_squares(squares) - 2.0 * correlation) / np.arange(n_frames, 0, -1)
    msd[0] = 0.0
    return np.maximum(msd, 0.0)


def _sum_of_squares(squares: FloatArray) -> FloatArray:
    """For each lag k: Σ over origins of |r(t)|² + |r(t + k)|²."""
    running = np.concatenate([[0.0], np.cumsum(squares)])
    return running[:0:-1] + running[-1] - running[:-1]


def msd_of_each_ion(positions_A: FloatArray, lags: FloatArray) -> FloatArray:
    """MSD of each ion at chosen lags, by direct averaging over all origins.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
    lags : int array (n_lags,), frames

    Returns
    -------
    array (n_lags, n_ions), Å²
    """
    out = np.zeros((len(lags), positions_A.shape[1]))
    for row, lag in enumerate(np.asarray(lags, dtype=int).tolist()):
        origins = len(positions_A) - lag
        # In blocks, so that a mapped run is never loaded whole.
        for start in range(0, origins, _ORIGINS):
            stop = min(start + _ORIGINS, origins)
            moved = positions_A[start + lag : stop + lag] - positions_A[start:stop]
            out[row] += np.einsum("tij,tij->i", moved, moved)
        out[row] /= origins
    return out
