"""Which structures may be screened: mobile species present, disorder within policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import InputError
from ..records import StructureRecord

DisorderMode = Literal["occupancy", "enumerate", "ordered"]

_FULL = 0.95


@dataclass(frozen=True)
class DisorderPolicy:
    """How much disorder descriptors may see.

    Parameters
    ----------
    mode : {'occupancy', 'enumerate', 'ordered'}
        ``occupancy``: disordered structures are used, occupancies as weights, within the two
        limits below; beyond, an ordered cell stands for each. ``enumerate``: an ordered cell
        stands for every disordered structure. ``ordered``: any disorder is refused.
    min_full_framework : float
        Smallest share of framework cations and anions on sites that are full (mixed species
        allowed, total ≥ 0.95). Below, the average structure resembles no real cell.
    max_mixed_mobile : float
        Largest share of mobile ions on sites shared with other elements; above, who is mobile
        and who is framework cannot be told.
    """

    mode: DisorderMode = "occupancy"
    min_full_framework: float = 0.5
    max_mixed_mobile: float = 0.5

    def __post_init__(self) -> None:
        if self.mode not in get_args(DisorderMode):
            raise InputError(
                f"disorder {self.mode!r}: use one of {', '.join(get_args(DisorderMode))}"
            )
        for name in ("min_full_framework", "max_mixed_mobile"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} {getattr(self, name)}: must be from 0 to 1")


def reason_against(
    record: StructureRecord, mobile: str = "Li", policy: DisorderPolicy | None = None
) -> str | None:
    """Why a structure cannot be screened, or None if it can."""
    policy = policy or DisorderPolicy()
    if mobile not in record.composition:
        return f"holds no {mobile}"
    if len(record.composition) == 1:
        return f"is elemental {mobile}: there is no anion"
    if not record.is_ordered and policy.mode == "ordered":
        return (
            "is disordered, and the policy is 'ordered'; with 'enumerate' an ordered cell stands "
            "for it"
        )
    return None


def reason_to_order(
    record: StructureRecord, mobile: str = "Li", policy: DisorderPolicy | None = None
) -> str | None:
    """Why an ordered cell must stand for a structure, or None if descriptors take it as it is."""
    policy = policy or DisorderPolicy()
    if record.is_ordered:
        return None
    if policy.mode == "enumerate":
        return "every disordered structure is ordered"
    full, mixed = _shares(record, mobile)
    if full < policy.min_full_framework:
        return f"only {full:.0%} of the framework lies on full sites"
    if mixed > policy.max_mixed_mobile:
        return f"{mixed:.0%} of {mobile} shares its sites with other elements"
    return None


def _shares(record: StructureRecord, mobile: str) -> tuple[float, float]:
    """Share of the framework on full sites; share of mobile ions on mixed sites."""
    framework = on_full = mobile_total = on_mixed = 0.0
    for content in record.species:
        own = sum(s.occupancy for s in content if s.element == mobile)
        other = sum(s.occupancy for s in content if s.element != mobile)
        framework += other
        on_full += other if own + other >= _FULL else 0.0
        mobile_total += own
        on_mixed += own if other > 0 else 0.0
    return (on_full / framework if framework else 0.0), on_mixed / mobile_total
