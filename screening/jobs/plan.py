"""What a job does, complete for any engine: a relaxation, or a run at one temperature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from ...data.errors import InputError
from ...data.records import StructureRecord
from .electrons import high_spin_moment
from .plan_checks import check_plan_fields
from .protocol import ProtocolSettings, RelaxationSettings
from .simulation_cell import SimulationCell, simulation_cells
from .structure_json import record_from_dict, record_to_dict

RELAX: Final = "relax"
MD: Final = "md"
K_LENGTH_MD_A: Final[float] = 9.0
"""Γ alone samples a run in cells of 9 Å and more; shorter directions get more k-points."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AimdPlan:
    """One MD run, complete: what any engine needs to write its input.

    Parameters
    ----------
    record : StructureRecord
        Ordered, with formal charges.
    mobile : str
    temperature_K, time_step_fs : float
    n_steps : int
        All steps, equilibration included.
    equilibration_ps : float
    frame_every : int
        Steps between kept frames.
    moments : tuple of float, length n_sites
        Starting magnetic moments, Bohr magnetons; all 0 means not spin-polarised.
    n_electrons : float
        Valence electrons of the cell.
    seed : int
    demonstration : bool
        Coarse settings: its label is marked and not trained on.
    notes : tuple of str
        How the cell came about.
    alternatives : tuple of dict
        The cells that were weighed against this one (:class:`.cell_choice.CellOption`).
    engine_settings : dict
        What the engine adds or overrides; its own business.
    """

    record: StructureRecord
    mobile: str
    temperature_K: float
    time_step_fs: float
    n_steps: int
    equilibration_ps: float
    frame_every: int
    moments: tuple[float, ...]
    n_electrons: float
    seed: int
    demonstration: bool = False
    notes: tuple[str, ...] = ()
    alternatives: tuple[dict[str, Any], ...] = ()
    engine_settings: dict[str, Any] = field(default_factory=dict)
    task: Literal["md"] = MD

    @property
    def frame_spacing_fs(self) -> float:
        """Time between kept frames, fs."""
        return self.frame_every * self.time_step_fs

    @property
    def production_ps(self) -> float:
        """Time after equilibration, ps."""
        return self.n_steps * self.time_step_fs / 1000.0 - self.equilibration_ps

    @property
    def spin_polarised(self) -> bool:
        """True if any ion has unpaired electrons."""
        return any(self.moments)

    @property
    def k_points(self) -> tuple[int, int, int]:
        """Γ-centred mesh: Γ alone in cells of 9 Å and more, and in demonstrations."""
        if self.demonstration or _shortest_A(self.record) >= 0.95 * K_LENGTH_MD_A:
            return (1, 1, 1)
        return k_mesh(self.record, K_LENGTH_MD_A)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**self.__dict__, "record": record_to_dict(self.record)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> AimdPlan:
        """Read what :meth:`as_dict` gave, now or by an earlier version."""
        return cls(**_restored(content, ("moments", "notes", "alternatives")))


@dataclass(frozen=True, kw_only=True, eq=False)
class RelaxPlan:
    """Relaxation of ions and cell, complete for any engine.

    Parameters
    ----------
    record : StructureRecord
        The simulation cell, ordered, with formal charges.
    mobile : str
    settings : RelaxationSettings
    moments : tuple of float, length n_sites
        As in :class:`AimdPlan`.
    n_electrons : float
    seed : int
    demonstration : bool
    notes : tuple of str
    alternatives : tuple of dict
    engine_settings : dict
        Of the relaxation: electronic settings of the run count where these say nothing.
    """

    record: StructureRecord
    mobile: str
    settings: RelaxationSettings
    moments: tuple[float, ...]
    n_electrons: float
    seed: int
    demonstration: bool = False
    notes: tuple[str, ...] = ()
    alternatives: tuple[dict[str, Any], ...] = ()
    engine_settings: dict[str, Any] = field(default_factory=dict)
    task: Literal["relax"] = RELAX
    temperature_K: float = 0.0

    @property
    def n_steps(self) -> int:
        """Ionic steps at most."""
        return self.settings.max_steps

    @property
    def spin_polarised(self) -> bool:
        """True if any ion has unpaired electrons."""
        return any(self.moments)

    @property
    def k_points(self) -> tuple[int, int, int]:
        """Γ-centred mesh: denser than in a run, for the stress."""
        return k_mesh(self.record, self.settings.k_length_A)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        own = {"record": record_to_dict(self.record), "settings": dict(self.settings.__dict__)}
        return {**self.__dict__, **own}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RelaxPlan:
        """Read what :meth:`as_dict` gave."""
        restored = _restored(content, ("moments", "notes", "alternatives"))
        return cls(**{**restored, "settings": RelaxationSettings(**content["settings"])})


Plan = AimdPlan | RelaxPlan


def plan_from_dict(content: Mapping[str, Any]) -> Plan:
    """Read a plan of either task; plans that name none are runs.

    Raises
    ------
    InputError
        If it is damaged: a field is missing or of another kind.
    """
    try:
        return (RelaxPlan if content.get("task") == RELAX else AimdPlan).from_dict(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(
            f"a plan that cannot be read ({reason}); it is damaged, take it from a copy of the "
            "folder"
        ) from None


def _restored(content: Mapping[str, Any], tuples: tuple[str, ...]) -> dict[str, Any]:
    check_plan_fields(content)
    check_plan_fields(content.get("settings", {}))
    lists = {name: tuple(content.get(name, ())) for name in tuples}
    return {**content, **lists, "record": record_from_dict(content["record"])}


def k_mesh(record: StructureRecord, length_A: float) -> tuple[int, int, int]:
    """K-points along each reciprocal vector so that number times plane spacing reaches a length.

    Parameters
    ----------
    record : StructureRecord
    length_A : float
        Wanted length, Å; 5 % less is enough, as no other number of points would be closer.
    """
    import numpy as np

    spacing_A = 1.0 / np.linalg.norm(np.linalg.inv(record.lattice), axis=0)
    a, b, c = np.maximum(1, np.ceil(0.95 * length_A / spacing_A)).astype(int)
    return int(a), int(b), int(c)


def _shortest_A(record: StructureRecord) -> float:
    """Shortest cell vector, Å: simulation cells are reduced, so that it is the image distance."""
    import numpy as np

    return float(np.linalg.norm(record.lattice, axis=1).min())


def make_plan(
    record: StructureRecord,
    temperature_K: float,
    settings: ProtocolSettings,
    mobile: str = "Li",
    seed: int = 0,
    engine_settings: Mapping[str, Any] | None = None,
) -> AimdPlan:
    """Plan one run of a structure as it is in a database, disordered or not.

    Raises
    ------
    RoleError, StructureError
        If the structure cannot be made into an ordered neutral cell.
    """
    cell = simulation_cells(
        record, mobile, settings.target_A, settings.max_atoms, keep=1, seed=seed
    )[0]
    return plan_cell(cell, temperature_K, settings, mobile, seed, engine_settings)


def plan_cell(
    cell: SimulationCell,
    temperature_K: float,
    settings: ProtocolSettings,
    mobile: str = "Li",
    seed: int = 0,
    engine_settings: Mapping[str, Any] | None = None,
) -> AimdPlan:
    """Plan one run of a simulation cell."""
    step = settings.time_step_of(cell.record.elements)
    return AimdPlan(
        record=cell.record,
        mobile=mobile,
        temperature_K=float(temperature_K),
        time_step_fs=step,
        n_steps=settings.n_steps(cell.record.elements),
        equilibration_ps=settings.equilibration_ps,
        frame_every=max(1, round(settings.frame_spacing_fs / step)),
        moments=starting_moments(cell.record),
        n_electrons=cell.n_electrons,
        seed=seed,
        demonstration=settings.demonstration,
        notes=(_origin(cell), *cell.notes),
        alternatives=tuple(option.as_dict() for option in cell.alternatives),
        engine_settings=dict(engine_settings or {}),
    )


def relaxation_of(plan: AimdPlan, settings: RelaxationSettings) -> RelaxPlan:
    """The relaxation that goes before a run, of the same cell."""
    return RelaxPlan(
        record=plan.record,
        mobile=plan.mobile,
        settings=settings,
        moments=plan.moments,
        n_electrons=plan.n_electrons,
        seed=plan.seed,
        demonstration=plan.demonstration,
        notes=plan.notes,
        alternatives=plan.alternatives,
        engine_settings=plan.engine_settings if settings.by == "engine" else {},
    )


def relaxed_run(
    relaxation: RelaxPlan,
    relaxed: StructureRecord,
    temperature_K: float,
    settings: ProtocolSettings,
    engine_settings: Mapping[str, Any] | None = None,
    note: str = "",
) -> AimdPlan:
    """Plan a run that starts from a relaxed cell.

    Raises
    ------
    InputError
        If the relaxed cell holds other atoms than the plan.
    """
    if relaxed.species != relaxation.record.species:
        raise InputError(f"{relaxed.id}: the relaxed cell holds other atoms than the plan")
    step = settings.time_step_of(relaxed.elements)
    return AimdPlan(
        record=relaxed,
        mobile=relaxation.mobile,
        temperature_K=float(temperature_K),
        time_step_fs=step,
        n_steps=settings.n_steps(relaxed.elements),
        equilibration_ps=settings.equilibration_ps,
        frame_every=max(1, round(settings.frame_spacing_fs / step)),
        moments=relaxation.moments,
        n_electrons=relaxation.n_electrons,
        seed=relaxation.seed,
        demonstration=relaxation.demonstration,
        notes=(*relaxation.notes, *((note,) if note else ())),
        alternatives=relaxation.alternatives,
        engine_settings=dict(engine_settings or {}),
    )


def at_temperature(plan: AimdPlan, temperature_K: float) -> AimdPlan:
    """The same run at another temperature."""
    return replace(plan, temperature_K=float(temperature_K))


def _origin(cell: SimulationCell) -> str:
    if cell.method == "ordered":
        return f"ordered cell, periodic images at least {cell.image_distance_A:.1f} Å apart"
    return (
        f"{cell.method} arrangement of lowest Ewald energy among {cell.n_configurations:.3g}, "
        f"periodic images at least {cell.image_distance_A:.1f} Å apart"
    )


def starting_moments(record: StructureRecord) -> tuple[float, ...]:
    """High-spin ferromagnetic start for open-shell cations, 0 elsewhere, shape (n_sites,)."""
    return tuple(
        float(high_spin_moment(content[0].element, content[0].oxidation or 0.0))
        for content in record.species
    )
