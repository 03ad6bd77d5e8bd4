"""What a learner is: everything that the house needs to know of one, in one value object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..labels.censoring import FloatArray

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, kw_only=True)
class SavedLearner:
    """A learner as a model folder holds it.

    Parameters
    ----------
    content : bytes
        Of its file; may come from a stranger.
    file : str
        Path, for messages.
    n_features : int
        Columns that the model states.
    seed : int
    settings : mapping
        Given to :attr:`Learner.make`.
    state : mapping
        Numbers from :attr:`Learner.state`.
    """

    content: bytes
    file: str
    n_features: int
    seed: int
    settings: Mapping[str, Any]
    state: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A family of learners: how one is made, tuned, saved, read and explained.

    Parameters
    ----------
    name : str
        As in ``--learners`` and in model folders.
    make : callable
        Makes an unfitted estimator of bounded targets (:class:`.bounded.BoundedRegressor`) from
        ``random_state`` and settings. Fitted, it has ``predict`` and ``n_features_in_``; with
        ``predict_with_spread`` it states a spread, too.
    suffix : str
        Of its file, with the dot.
    write : callable
        Fitted estimator → bytes; equal estimators give equal bytes.
    read : callable
        The inverse; nothing that the bytes say is executed.
    space : callable
        Settings of a tuning trial.
    tuning_share : float
        Of a budget of trials.
    shares : callable, optional
        Fitted estimator and features (n, p) → contributions (n, p + 1) that add up to its
        prediction, the last column being nobody's. None where it is not attributed.
    held_out : mapping
        Settings for the many fits of calibration, where they may differ.
    state : callable
        Numbers of a fitted estimator that its file does not hold.
    recalls : bool
        It gives back what it was trained on; False where it smooths over it.
    """

    name: str
    make: Callable[..., Any]
    suffix: str
    write: Callable[[Any], bytes]
    read: Callable[[SavedLearner], Any]
    space: Callable[[optuna.Trial], dict[str, Any]]
    tuning_share: float
    shares: Callable[[Any, FloatArray], FloatArray] | None = None
    held_out: Mapping[str, Any] = field(default_factory=dict)
    state: Callable[[Any], dict[str, float]] = lambda learner: {}
    recalls: bool = True

    @property
    def file(self) -> str:
        """Name of its file in a model folder."""
        return f"{self.name}{self.suffix}"
