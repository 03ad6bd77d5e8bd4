"""When a candidate is flagged: limits as data, which the settings of a screen hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FlagRules:
    """When a candidate is flagged.

    Parameters
    ----------
    uncertain_p : (float, float)
        ``uncertain``: the probability of being fast lies in this range: AIMD would decide.
    out_of_domain : float
        ``out_of_domain``: domain distance above this; 1 is the distance from one training family
        to the next. So is every candidate of another mobile species than the labels'.
    disagreement_log10 : float
        ``models_disagree``: the two model families differ by more decades than this.
    """

    uncertain_p: tuple[float, float] = (0.2, 0.8)
    out_of_domain: float = 1.5
    disagreement_log10: float = 1.0
