"""Any featurizer of matminer as a descriptor family: ``matminer:DensityFeatures``.

The families of this project compute what matminer computes by their own fast kernels where that is
worth it. What matminer has beyond them joins the same table here, at matminer's speed: structure
and composition featurizers by their class name, with a preset behind a second colon where the
class wants one (``matminer:ElementProperty:magpie``).
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from functools import lru_cache
from importlib import import_module, metadata
from typing import Any, Final

import numpy as np

from ..data.convert import to_pymatgen
from ..data.errors import FeatureError
from ..data.records import StructureRecord
from .core.columns import EXTRA, Column, Family, Notes, Value, Values
from .core.prepared import PreparedStructure, prepare

MODULES: Final[dict[str, str]] = {
    "structure": "matminer.featurizers.structure",
    "composition": "matminer.featurizers.composition",
}
"""What a featurizer takes → where those classes are."""
_NAN: Final[str] = "matminer could not compute it; the reason column says why"


def version() -> str:
    """Version of matminer that values depend on."""
    return metadata.version("matminer")


@lru_cache(maxsize=32)
def extra_family(name: str) -> Family:
    """The family of a featurizer.

    Parameters
    ----------
    name : str
        ``matminer:CLASS`` or ``matminer:CLASS:PRESET``.

    Raises
    ------
    FeatureError
        If matminer has no such featurizer, it needs a preset or a training set, or gives something
        else than numbers and words.
    """
    takes, featurizer = _featurizer(name)
    names = _column_names(name, featurizer)
    sample = _sample(name, featurizer, takes)
    source = f"matminer {version()}, {type(featurizer).__name__}"
    columns = tuple(
        Column(
            column,
            "as matminer",
            f"matminer: {label}",
            source,
            name,
            nan_means=_NAN,
            cost="high",
            dtype="category" if isinstance(value, str) else "float",
        )
        for column, label, value in zip(names, featurizer.feature_labels(), sample, strict=True)
    )

    def compute(prepared: PreparedStructure, notes: Notes) -> Values:
        try:
            found = _values(featurizer, takes, prepared)
        except Exception as error:
            # matminer's featurizers fail in as many ways as they have authors.
            notes.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            return {c.name: "" if c.dtype == "category" else math.nan for c in columns}
        return {c.name: _as_value(v) for c, v in zip(columns, found, strict=True)}

    return Family(name, columns, compute)


def _featurizer(name: str) -> tuple[str, Any]:
    """What it takes, and the featurizer itself."""
    class_name, _, preset = name.removeprefix(EXTRA).partition(":")
    for takes, module in MODULES.items():
        found = getattr(import_module(module), class_name, None)
        if inspect.isclass(found) and hasattr(found, "featurize") and class_name[0].isupper():
            return takes, _made(name, found, preset)
    raise FeatureError(
        f"{name}: matminer {version()} has no structure or composition featurizer {class_name!r}"
    )


def _made(name: str, kind: Any, preset: str) -> Any:
    # matminer fills gaps with averages by default; here a gap stays one.
    options = {"impute_nan": False}
    try:
        if preset:
            return kind.from_preset(preset, **_accepted(kind.from_preset, options))
        return kind(**_accepted(kind.__init__, options))
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        wants = " (give one: CLASS:PRESET)" if hasattr(kind, "from_preset") and not preset else ""
        raise FeatureError(f"{name}: cannot be made{wants}: {error}") from error


def _accepted(function: Any, options: dict[str, Any]) -> dict[str, Any]:
    known = inspect.signature(function).parameters
    return {k: v for k, v in options.items() if k in known}


def _column_names(name: str, featurizer: Any) -> list[str]:
    """Labels as column names: letters, digits and underscores, each once."""
    try:
        labels = featurizer.feature_labels()
    except Exception as error:
        raise FeatureError(
            f"{name}: has no labels before it is fitted; only featurizers of single structures "
            "can join the table"
        ) from error
    stem = re.sub(r"\W+", "_", name)
    out: list[str] = []
    for label in labels:
        column = f"{stem}_{re.sub(r'[^0-9A-Za-z]+', '_', str(label)).strip('_')}"
        out.append(column if column not in out else f"{column}_{len(out)}")
    return out


def _sample(name: str, featurizer: Any, takes: str) -> list[Any]:
    """Values of one crystal: whether they are numbers, words, or nothing for a table."""
    # A cubic perovskite: three elements, every site clear.
    corner, centre, face = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.0)
    frac = [corner, centre, face, face[::-1], (0.5, 0.0, 0.5)]
    record = StructureRecord.ordered("sample", 4.0 * np.eye(3), ["Li", "Nb", "O", "O", "O"], frac)
    try:
        found = _values(featurizer, takes, prepare(record))
    except Exception as error:
        raise FeatureError(
            f"{name}: fails on a plain crystal ({type(error).__name__}: {error}); does it have to "
            "be fitted?"
        ) from error
    for value in found:
        if not isinstance(value, str | bool | int | float | np.generic | type(None)):
            raise FeatureError(
                f"{name}: gives {type(value).__name__} values, which are no columns of a table"
            )
    return found


def _values(featurizer: Any, takes: str, prepared: PreparedStructure) -> list[Any]:
    plain = to_pymatgen(prepared.record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(featurizer.featurize(plain if takes == "structure" else plain.composition))
        except (ValueError, AttributeError):
            if takes == "structure" and not plain.is_ordered:
                raise
            # Some want oxidation states; those of the roles are known here.
            charged = _with_states(plain, prepared) if takes == "structure" else _charged(prepared)
            return list(featurizer.featurize(charged))


def _with_states(structure: Any, prepared: PreparedStructure) -> Any:
    charged = structure.copy()
    charged.add_oxidation_state_by_site([float(q) for q in prepared.roles.oxidation])
    return charged


def _charged(prepared: PreparedStructure) -> Any:
    """Composition with the oxidation states of the roles."""
    from pymatgen.core import Composition, Species

    from ..data.elements import SYMBOLS

    atoms, oxidation = prepared.atoms, prepared.roles.oxidation
    amounts: dict[Any, float] = {}
    for z, state, occupancy in zip(atoms.z, oxidation, atoms.occupancy, strict=True):
        species = Species(SYMBOLS[z - 1], float(state))
        amounts[species] = amounts.get(species, 0.0) + float(occupancy)
    return Composition(amounts)


def _as_value(value: Any) -> Value:
    if value is None:
        return math.nan
    return value if isinstance(value, str) else float(value)
