"""Settings of a campaign: what it looks for and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ...data.errors import InputError
from ..acquisition.scores import AcquisitionSettings
from ..engines.registry import engine
from ..jobs.protocol import BY_ENGINE, NO_RELAXATION, ProtocolSettings


@dataclass(frozen=True, kw_only=True)
class CampaignSettings:
    """What a campaign looks for and how.

    Parameters
    ----------
    engine : str
        Name of the engine (:data:`.engines.ENGINES`).
    engine_settings : dict
        Passed to it.
    mobile : str
        Mobile species.
    threshold_S_cm : float
        Conductivity at 300 K, S/cm, that counts as fast.
    batch_size : int
        Candidates in a round.
    seed : int
    acquisition : AcquisitionSettings
    protocol : ProtocolSettings
    minimum_gain_decades, minimum_hits : float
        Stop rule (:func:`.acquisition.stop_decision`).
    """

    engine: str = "gpaw"
    engine_settings: dict[str, Any] = field(default_factory=dict)
    mobile: str = "Li"
    threshold_S_cm: float = 1e-3
    batch_size: int = 5
    seed: int = 0
    acquisition: AcquisitionSettings = field(default_factory=AcquisitionSettings)
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    minimum_gain_decades: float = 0.05
    minimum_hits: float = 0.2

    def __post_init__(self) -> None:
        chosen = engine(self.engine)
        kind = chosen.kind
        if kind != "aimd":
            raise InputError(
                f"engine {self.engine!r} gives labels of kind {kind}, which are never trained on "
                "as AIMD; use it with 'ionsieve campaign prescreen'"
            )
        cleaned = chosen.settings.clean(self.engine, self.engine_settings)
        object.__setattr__(self, "engine_settings", cleaned)
        if self.protocol.relaxation.by not in (BY_ENGINE, NO_RELAXATION):
            # Of whatever kind: a relaxation gives no label.
            engine(self.protocol.relaxation.by)
        if self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {self.batch_size}")
        if not self.threshold_S_cm > 0:
            raise InputError(f"threshold_S_cm must be positive, got {self.threshold_S_cm}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CampaignSettings:
        """Read settings; unknown names are refused.

        Raises
        ------
        InputError
            If a name is unknown or a value not allowed.
        """
        known = {k: v for k, v in content.items() if not k.startswith("stopped")}
        try:
            acquisition = AcquisitionSettings(**known.pop("acquisition", {}))
            protocol = ProtocolSettings(**known.pop("protocol", {}))
            return cls(acquisition=acquisition, protocol=protocol, **known)
        except TypeError as error:
            raise InputError(f"campaign settings: {error}") from None
