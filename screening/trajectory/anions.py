"""The anions of a run, with or without oxidation states, and the mobile ions around them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import FeatureError, InputError
from ...data.records import FloatArray, IntArray
from ...features.core.elements import covalent_radii_A
from ...features.core.prepared import PreparedStructure
from ...features.isolated.definition import find_isolated_anions
from ...features.motion.angles import angle_map, cation_anion_cation
from ...features.motion.groups import Group, bonded_groups, folded
from ...features.motion.shape import shape_of
from .framed import FramedRun

COORDINATION_CUTOFF_A: Final[float] = 3.5
COORDINATION_RATIO: Final[float] = 1.5
"""Reach around an anion over the sum of covalent radii: 3.5 Å for Li–S."""
ANGLE_EDGES_A: Final[FloatArray] = np.arange(1.5, 6.01, 0.5)
_RADIAL_BIN_A: Final[float] = 0.1
_FRAMES: Final[int] = 400


@dataclass(frozen=True, eq=False, kw_only=True)
class AnionClass:
    """Anions of one kind.

    Attributes
    ----------
    name : str
        ``S isolated``, ``S bonded``, ``PS4``.
    centre_frac : array (n_frames, n_anions, 3)
        Places of the anions, or centroids of the polyanions.
    cutoff_A : float
        Reach of the first shell of mobile ions.
    """

    name: str
    centre_frac: FloatArray
    cutoff_A: float


def host_groups(run: FramedRun, wanted: Sequence[str] = ()) -> list[Group]:
    """Polyanions of the host by connectivity, indices into all atoms of the run.

    Parameters
    ----------
    run : FramedRun
    wanted : sequence of str
        Formulas such as ``B12H12``; only these, and an error if one is not there. Default: every
        finite bonded group of two atoms or more.

    Raises
    ------
    InputError
        If a formula cannot be read or no such group is found.
    """
    host_z = run.z[run.n_mobile :]
    if not len(host_z):
        return []
    found = bonded_groups(run.lattice, run.frac[:, run.n_mobile :], host_z)
    groups = [Group(g.atoms + run.n_mobile, g.image) for g in found if len(g) > 1]
    if not wanted:
        return groups
    counts = [_count(formula) for formula in wanted]
    chosen = [g for g in groups if Counter(run.species[a] for a in g.atoms) in counts]
    for formula, count in zip(wanted, counts, strict=True):
        if not any(Counter(run.species[a] for a in g.atoms) == count for g in chosen):
            seen = sorted({formula_of(run, g) for g in groups})
            raise InputError(
                f"--anions {formula}: no such group of bonded atoms in the run; found "
                f"{', '.join(seen) or 'none'}"
            )
    return chosen


def _count(formula: str) -> Counter[str]:
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    if (
        not parts
        or "".join(e + n for e, n in parts) != formula
        or any(e not in ATOMIC_NUMBER for e, _ in parts)
    ):
        raise InputError(f"--anions {formula}: not a formula; write B12H12 or PS4,BH4")
    count: Counter[str] = Counter()
    for element, number in parts:
        count[element] += int(number or 1)
    return count


def formula_of(run: FramedRun, group: Group) -> str:
    """Formula of a group, the rarest element first: PS4, B12H12."""
    count = Counter(run.species[a] for a in group.atoms)
    order = sorted(count.items(), key=lambda item: (item[1], ATOMIC_NUMBER[item[0]] < 5, item[0]))
    return "".join(f"{e}{n if n > 1 else ''}" for e, n in order)


def anion_classes(
    run: FramedRun, groups: Sequence[Group], prepared: PreparedStructure | None
) -> list[AnionClass]:
    """All anions by class: isolated and bonded ones by element, polyanions by formula.

    Without roles, every host atom outside of a polyanion counts by its element.
    """
    host = np.arange(run.n_mobile, len(run.species))
    names: dict[str, list[int]] = {}
    if prepared is None:
        inside = {int(a) for g in groups for a in g.atoms}
        for atom in host.tolist():
            if atom not in inside:
                names.setdefault(run.species[atom], []).append(atom)
    else:
        isolated = find_isolated_anions(prepared).is_isolated
        for atom in np.flatnonzero(prepared.roles.is_anion).tolist():
            state = "isolated" if isolated[atom] else "bonded"
            names.setdefault(f"{run.species[atom]} {state}", []).append(atom)
    classes = [
        AnionClass(
            name=name,
            centre_frac=run.frac[:, atoms],
            cutoff_A=atomic_cutoff_A(run.mobile, run.species[atoms[0]]),
        )
        for name, atoms in sorted(names.items())
    ]
    by_formula: dict[str, list[Group]] = {}
    for group in groups:
        by_formula.setdefault(formula_of(run, group), []).append(group)
    for formula, own in sorted(by_formula.items()):
        centres = centroids(run, own)
        classes.append(
            AnionClass(name=formula, centre_frac=centres, cutoff_A=_shell_A(run, centres))
        )
    return classes


def centroids(run: FramedRun, groups: Sequence[Group]) -> FloatArray:
    """Centroid of each group in every frame, (n_frames, n_groups, 3), fractional."""
    shift = folded(run.frac[0]) - run.frac[0]
    return np.stack(
        [(run.frac[:, g.atoms] + shift[g.atoms] + g.image).mean(axis=1) for g in groups], axis=1
    )


def atomic_cutoff_A(mobile: str, anion: str) -> float:
    """First shell of mobile ions around an anion, Å."""
    radii = covalent_radii_A()
    total = radii[ATOMIC_NUMBER[mobile]] + radii[ATOMIC_NUMBER[anion]]
    return max(COORDINATION_CUTOFF_A, COORDINATION_RATIO * float(np.nan_to_num(total)))


def _shell_A(run: FramedRun, centres: FloatArray) -> float:
    """Distance of the first minimum of the radial distribution after its first peak, Å."""
    from scipy.ndimage import gaussian_filter1d

    reach = _half_height(run.lattice)
    edges = np.arange(0.0, reach, _RADIAL_BIN_A)
    counts = np.zeros(len(edges) - 1)
    for frame in _frames(len(centres), 100):
        counts += np.histogram(_distances(run, centres, frame), edges)[0]
    middle = (edges[1:] + edges[:-1]) / 2.0
    density = gaussian_filter1d(counts / middle**2, 2.0)
    peak = int(np.argmax(density))
    valley = np.flatnonzero((np.diff(density) > 0)[peak:])
    return float(edges[peak + int(valley[0]) + 1]) if len(valley) else reach


def _half_height(lattice: FloatArray) -> float:
    return 0.5 / float(np.linalg.norm(np.linalg.inv(lattice), axis=0).max())


def _frames(n_frames: int, most: int = _FRAMES) -> IntArray:
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, most)).round().astype(int))


def _distances(run: FramedRun, centres: FloatArray, frame: int) -> FloatArray:
    apart = run.mobile_frac[frame][None] - centres[frame][:, None]
    return np.asarray(np.linalg.norm((apart - np.rint(apart)) @ run.lattice, axis=2))


def coordination_by_class(
    run: FramedRun, classes: Sequence[AnionClass], notes: list[str]
) -> dict[str, object]:
    """Mean number of mobile ions in the first shell of each class, and its breadth."""
    out: dict[str, object] = {}
    for one in classes:
        try:
            out[one.name] = _coordination(run, one)
        except FeatureError as error:
            notes.append(f"no coordination of {one.name}: {error}")
    return out


def _coordination(run: FramedRun, one: AnionClass) -> dict[str, object]:
    if one.cutoff_A > _half_height(run.lattice):
        raise FeatureError(
            f"its shell of {one.cutoff_A:.2f} Å exceeds half of the cell; use a larger cell"
        )
    numbers = np.array(
        [
            (_distances(run, one.centre_frac, f) < one.cutoff_A).sum(axis=1)
            for f in _frames(len(run.frac))
        ]
    )
    return {
        "n_anions": one.centre_frac.shape[1],
        "cutoff_A": one.cutoff_A,
        "mean": float(numbers.mean()),
        "breadth": float(numbers.std()),
    }


def angles_by_class(
    run: FramedRun, classes: Sequence[AnionClass]
) -> tuple[dict[str, object], dict[str, object]]:
    """Shape of the cation–anion–cation angles of each class, as a whole and by distance.

    Returns
    -------
    columns, curves : dict
    """
    columns: dict[str, object] = {}
    curves: dict[str, object] = {}
    for one in classes:
        reach = min(one.cutoff_A, _half_height(run.lattice))
        pairs = cation_anion_cation(one.centre_frac, run.mobile_frac, run.lattice, reach)
        if len(pairs.angle_deg) < 20:
            continue
        whole = shape_of(pairs.angle_deg)
        middle, density = angle_map(pairs, ANGLE_EDGES_A)
        columns[one.name] = {
            **({} if whole is None else {f"angle_{k}": v for k, v in asdict(whole).items()}),
            "by_distance": _by_distance(pairs.distance_A, pairs.angle_deg),
        }
        whole_range = np.array([0.0, np.inf])
        curves[one.name] = {
            "angle_deg": middle.tolist(),
            "all_per_deg": angle_map(pairs, whole_range)[1][0].tolist(),
            "edges_A": ANGLE_EDGES_A.tolist(),
            "density_per_deg": density.tolist(),
        }
    return columns, curves


def _by_distance(distance_A: FloatArray, angle_deg: FloatArray) -> dict[str, object]:
    out: dict[str, object] = {}
    for low, high in itertools.pairwise(ANGLE_EDGES_A):
        chosen = angle_deg[(distance_A >= low) & (distance_A < high)]
        shape = shape_of(chosen) if len(chosen) >= 50 else None
        if shape is not None:
            out[f"{low:g}-{high:g} A"] = {"n": len(chosen), **asdict(shape)}
    return out
