"""What is predicted: a quantity along an Arrhenius line, or the onset of diffusion.

A target turns labels into bounds in its working unit, says where a population of materials lies at
a temperature and how far materials spread there, and turns answers back into the user's unit. The
learners see only the position of a material within the population.

========================  ===========================  ==============  ========================
quantity of the labels    target                       working unit    unit of predictions
========================  ===========================  ==============  ========================
``sigma_S_cm``            :class:`ArrheniusTarget`     log10 S/cm      log10 S/cm
``diffusivity_cm2_s``     :class:`ArrheniusTarget`     log10 cm²/s     log10 cm²/s
``t_onset_K``             :class:`OnsetTarget`         log10 K         K
``diffuses``              :class:`OnsetTarget`         log10 K         K
========================  ===========================  ==============  ========================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...data.errors import ModelError
from .censoring import FloatArray, truncated_moments
from .population import ArrheniusPopulation, fit_arrhenius_population
from .tables import LabelArrays, label_arrays

ARRHENIUS_QUANTITIES: Final = ("sigma_S_cm", "diffusivity_cm2_s")
ONSET_QUANTITIES: Final = ("t_onset_K", "diffuses")

_ONSET_SD: Final = 0.2
"""Spread of onset temperatures between materials, decades: from 500 to 1300 K around 800 K."""
_ONSET_PRIOR_LABELS: Final = 5.0
"""Evidence behind it in labels; decides only where all labels are bounds at one temperature."""


@runtime_checkable
class Target(Protocol):
    """What models and evaluation need to know about a quantity."""

    quantity: str
    unit: str

    def read(self, labels: pd.DataFrame, structure_ids: pd.Index) -> LabelArrays:
        """Labels as bounds in the working unit."""

    def fit(self, arrays: LabelArrays) -> Any:
        """Learn the population; returns self."""

    def line(self, temperature_K: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Population mean and spread between materials at temperatures, working unit."""

    def label_weight(self, arrays: LabelArrays) -> FloatArray:
        """How much each label says about the position of its material, shape (n,)."""

    def shown(self, working: FloatArray) -> FloatArray:
        """From the working unit to the unit of predictions."""

    def event_threshold(self, threshold: float, temperature_K: FloatArray) -> FloatArray:
        """Threshold of the event "conducts" in the working unit."""

    event_above: bool

    def state(self) -> dict[str, float]:
        """Fitted numbers for a JSON file."""

    def restore(self, state: dict[str, float]) -> Any:
        """The inverse of :meth:`state`; returns self."""


@dataclass
class ArrheniusTarget:
    """Conductivity or diffusivity; the event is exceeding a threshold at a temperature."""

    quantity: str = "sigma_S_cm"
    event_above: bool = True

    def __post_init__(self) -> None:
        if self.quantity not in ARRHENIUS_QUANTITIES:
            raise ModelError(f"{self.quantity!r} does not follow an Arrhenius line")
        self.unit = "log10 S/cm" if self.quantity == "sigma_S_cm" else "log10 cm2/s"

    def read(self, labels: pd.DataFrame, structure_ids: pd.Index) -> LabelArrays:
        """Labels as bounds of log10 of the quantity."""
        return label_arrays(labels, structure_ids, self.quantity)

    def fit(self, arrays: LabelArrays) -> ArrheniusTarget:
        """Fit the population of Arrhenius lines."""
        self.population_ = fit_arrhenius_population(
            arrays.temperature_K,
            arrays.bounds,
            arrays.row,
            arrays.error_log10,
            times_temperature=self.quantity == "sigma_S_cm",
        )
        return self

    def line(self, temperature_K: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Population mean and spread of log10 of the quantity."""
        return self.population_.mean(temperature_K), self.population_.material_sd(temperature_K)

    def label_weight(self, arrays: LabelArrays) -> FloatArray:
        """Inverse variance of a label as evidence on the position of its material.

        Prefactor and slope of a material vary independently, so even an exact label carries the
        noise of the population.
        """
        _, spread = self.line(arrays.temperature_K)
        noise = self.population_.noise_sd**2 + arrays.error_log10**2
        return 1.0 / (1.0 + noise / spread**2)

    def shown(self, working: FloatArray) -> FloatArray:
        """Predictions stay in decades."""
        return working

    def event_threshold(self, threshold: float, temperature_K: FloatArray) -> FloatArray:
        """log10 of the threshold in the unit of the quantity."""
        return np.full(np.shape(temperature_K), np.log10(threshold))

    def state(self) -> dict[str, float]:
        """Parameters of the population."""
        return self.population_.as_dict()

    def restore(self, state: dict[str, float]) -> ArrheniusTarget:
        """Set the parameters of the population."""
        self.population_ = ArrheniusPopulation(**state)
        return self


@dataclass
class OnsetTarget:
    """Lowest temperature of long-range diffusion; the event is diffusing at a temperature.

    ``diffuses`` labels are bounds on the onset: seen at T means at most T, not seen means above T.
    Several of one material are merged to one interval below the lowest temperature of diffusion.
    """

    quantity: str = "t_onset_K"
    event_above: bool = False
    unit: str = "K"

    def read(self, labels: pd.DataFrame, structure_ids: pd.Index) -> LabelArrays:
        """Labels as bounds of log10 of the onset temperature (K)."""
        if self.quantity == "diffuses":
            labels = onset_bounds(labels)
        return label_arrays(labels, structure_ids, "t_onset_K")

    def fit(self, arrays: LabelArrays) -> OnsetTarget:
        """Location and width of a normal population of log10 onset, bounds by expectation."""
        finite = arrays.bounds[np.isfinite(arrays.bounds)]
        self.mean_, self.sd_ = float(np.mean(finite)), _ONSET_SD
        for _ in range(50):
            centre, variance = truncated_moments(arrays.bounds, self.mean_, self.sd_)
            self.mean_ = float(np.mean(centre))
            square = float(np.sum((centre - self.mean_) ** 2 + variance))
            prior = _ONSET_PRIOR_LABELS * _ONSET_SD**2
            self.sd_ = float(np.sqrt((square + prior) / (len(centre) + _ONSET_PRIOR_LABELS)))
        return self

    def line(self, temperature_K: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The same at every temperature: the onset is a temperature itself."""
        shape = np.shape(temperature_K)
        return np.full(shape, self.mean_), np.full(shape, self.sd_)

    def label_weight(self, arrays: LabelArrays) -> FloatArray:
        """Inverse variance with the label's own error, in decades of temperature."""
        return 1.0 / (1.0 + (arrays.error_log10 / self.sd_) ** 2)

    def shown(self, working: FloatArray) -> FloatArray:
        """Kelvin."""
        return np.power(10.0, working)

    def event_threshold(self, threshold: float, temperature_K: FloatArray) -> FloatArray:
        """An onset at or below the temperature is the event; the threshold has no part in it."""
        return np.log10(np.asarray(temperature_K, dtype=np.float64))

    def state(self) -> dict[str, float]:
        """Location and width."""
        return {"mean": self.mean_, "sd": self.sd_}

    def restore(self, state: dict[str, float]) -> OnsetTarget:
        """Set location and width."""
        self.mean_, self.sd_ = float(state["mean"]), float(state["sd"])
        return self


def make_target(quantity: str) -> ArrheniusTarget | OnsetTarget:
    """The target that belongs to a quantity of the label table.

    Raises
    ------
    ModelError
        If there is none.
    """
    if quantity in ARRHENIUS_QUANTITIES:
        return ArrheniusTarget(quantity)
    if quantity in ONSET_QUANTITIES:
        return OnsetTarget(quantity)
    known = ", ".join((*ARRHENIUS_QUANTITIES, *ONSET_QUANTITIES))
    raise ModelError(f"no target is called {quantity!r}; choose one of {known}")


def onset_bounds(labels: pd.DataFrame) -> pd.DataFrame:
    """Merge ``diffuses`` labels into one interval of the onset temperature per structure and kind.

    A zero above a one (noise of short runs near the onset) is contradicted by the one and left
    out.
    """
    rows = labels[labels["quantity"] == "diffuses"]
    keys = ["structure_id", "kind"]
    seen = rows[rows["value"] == 1].groupby(keys)["temperature_K"].min()
    first = rows.drop_duplicates(keys).set_index(keys)
    ceiling = seen.reindex(first.index)
    quiet = rows[rows["value"] == 0].join(ceiling.rename("ceiling"), on=keys)
    quiet = quiet[~(quiet["temperature_K"] >= quiet["ceiling"])]
    floor = quiet.groupby(keys)["temperature_K"].max().reindex(first.index)
    merged = first.assign(quantity="t_onset_K", value=np.nan, lower=floor, upper=ceiling)
    return merged.reset_index()
