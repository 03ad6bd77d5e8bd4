"""Electron counts: valence electrons for the cost of a run, unpaired ones for its spin."""

from __future__ import annotations

from typing import Final

from ...data.elements import ATOMIC_NUMBER

_NOBLE: Final[tuple[int, ...]] = (2, 10, 18, 36, 54, 86)


def valence_electrons(element: str) -> int:
    """Electrons treated explicitly by common PAW data sets, semicore included.

    Beyond the noble-gas core; s-block metals with their p shell below (Li and Be with 1s), early
    transition metals with theirs, d¹⁰ counted for groups 11 to 14 only, closed 4f shells not.
    """
    z = ATOMIC_NUMBER[element]
    core = max([0, *(n for n in _NOBLE if n < z)])
    outer = z - core
    if z <= 4:
        return z
    if outer <= 2:
        return outer + 8 if z > 12 else outer + 6
    if core >= 54 and outer >= 17:
        outer -= 14
    if core in (2, 10):
        return outer
    # Period 4 and below: outer counts the d shell; groups 15 to 17 keep it in the core.
    if outer >= 15:
        return outer - 10
    return outer + 6 if outer <= 6 else outer


def high_spin_moment(element: str, oxidation: float) -> int:
    """Unpaired electrons of a high-spin ion; 0 for closed shells and main-group elements.

    Parameters
    ----------
    element : str
    oxidation : float
        Formal charge, e; an average is rounded.

    Returns
    -------
    int
        Moment in Bohr magnetons, spin only.
    """
    z = ATOMIC_NUMBER[element]
    core = max([0, *(n for n in _NOBLE if n < z)])
    electrons = z - core - round(oxidation)
    if core == 54 and z <= 70:
        # 4f fills first; what is beyond 14 is not unpaired in an ion.
        return _unpaired(electrons, 7)
    if core == 54:
        electrons -= 14
    is_transition_metal = core in (18, 36, 54) and 3 <= z - core - (14 if core == 54 else 0) <= 12
    return _unpaired(electrons, 5) if is_transition_metal else 0


def _unpaired(electrons: int, half_shell: int) -> int:
    return max(0, min(electrons, 2 * half_shell - electrons))
