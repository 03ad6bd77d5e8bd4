"""A model that came from a file is asked once before it is trusted with anything."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..data.errors import ModelError
from .fidelity import OtherKind
from .model import StructureModel

_TEMPERATURES_K = np.array([300.0, 1000.0, 300.0])


def check_answers(model: StructureModel, where: object) -> None:
    """Ask for a structure in the middle of the training set, and for one without any feature.

    Parameters
    ----------
    model : StructureModel
        Read from a file.
    where : object
        The folder, for messages.

    Raises
    ------
    ModelError
        If it cannot answer or its answer is no number: a file was damaged in a way that its form
        does not show.
    """
    try:
        # What overflows or divides by zero here is what this is to find.
        with np.errstate(all="ignore"):
            answer = model.predict(_questions(model), _TEMPERATURES_K)
        numbers = answer[["prediction", "low", "high", "p_exceeds", "domain_distance"]]
        is_finite = bool(np.isfinite(numbers.to_numpy(dtype=np.float64)).all())
    except MemoryError:
        raise
    except Exception as error:  # three libraries and a stranger's numbers
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(
            f"{where}: the model cannot answer ({reason[:200]}); train again"
        ) from None
    if not is_finite:
        raise ModelError(f"{where}: the model answers with no number; it is damaged, train again")


def _questions(model: StructureModel) -> pd.DataFrame:
    names = sorted(_columns(model))
    known = dict(zip(model.columns_, model.ensemble_.domain_.centre_.tolist(), strict=True))
    middle = [known.get(name, 0.0) for name in names]
    rows = [middle, middle, [np.nan] * len(names)]
    return pd.DataFrame(rows, columns=names, index=["a", "b", "c"], dtype=np.float64)


def _columns(model: StructureModel) -> set[str]:
    own = {*model.columns_, *(e.column for e in model.evidence_)}
    if not isinstance(model.other_kind, OtherKind):
        return own
    return (own - {model.other_kind.column}) | _columns(model.other_kind.model)
