"""matminer's featurizer interface, without importing matminer.

``MultipleFeaturizer([StructureFeaturizer(), DensityFeatures()])`` works on a DataFrame of
structures, and so does every method here alone. Names and meaning follow
``matminer.featurizers.base``
0.10 (Ward et al. 2018, 10.1016/j.commatsci.2018.05.018); nothing is copied from it.
"""

from __future__ import annotations

import re
import traceback
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..data.errors import FeatureError, IonsieveError
from .catalogue import catalogue, families
from .rows import featurize_one

_DOI = re.compile(r"10\.\d{4,9}/[^\s,;)]+")


class MatminerContract:
    """Mixin: what matminer expects of a featurizer of structures.

    Unlike matminer's own, no progress bar is drawn, and work is shared among processes by
    ``ionsieve featurize`` instead of by ``n_jobs``.
    """

    families: Sequence[str] | None
    numeric: bool
    mobile: str

    @abstractmethod
    def fit(self, X: Any, y: Any = None) -> Any:
        """Check the parameters."""

    def featurize(self, structure: Any) -> list[Any]:
        """Values of one structure, in the order of :meth:`feature_labels`.

        Raises
        ------
        FeatureError
            If there are none at all; single columns may be NaN.
        """
        row = featurize_one(structure, families(self.families), self.mobile)
        if row.values is None:
            raise FeatureError(row.reason)
        return [row.values[name] for name in self.feature_labels()]

    def feature_labels(self) -> list[str]:
        """Column names in output order."""
        columns = catalogue(self.families)
        return [c.name for c in columns if not self.numeric or c.dtype != "category"]

    def citations(self) -> list[str]:
        """Sources of the chosen columns, as BibTeX where they have a DOI."""
        sources = dict.fromkeys(column.source for column in catalogue(self.families))
        return [_bibtex(source) for source in sources]

    def implementors(self) -> list[str]:
        """Who to ask."""
        return ["The ionsieve developers"]

    def featurize_many(
        self,
        entries: Any,
        ignore_errors: bool = False,
        return_errors: bool = False,
        pbar: bool = False,
    ) -> list[list[Any]]:
        """Values of many structures; see :meth:`featurize_wrapper` for the two switches."""
        if return_errors and not ignore_errors:
            raise FeatureError("return_errors needs ignore_errors=True")
        return [
            self.featurize_wrapper((structure,), return_errors, ignore_errors)
            for structure in _unwrapped(entries)
        ]

    def featurize_wrapper(
        self, x: Sequence[Any], return_errors: bool = False, ignore_errors: bool = False
    ) -> list[Any]:
        """Values of one structure in a tuple; on request NaN, and the error as a last value."""
        try:
            values = self.featurize(*x)
        except IonsieveError:
            if not ignore_errors:
                raise
            values = [np.nan] * len(self.feature_labels())
            return [*values, traceback.format_exc()] if return_errors else values
        return [*values, np.nan] if return_errors else values

    def featurize_dataframe(
        self,
        df: pd.DataFrame,
        col_id: str | Sequence[str],
        ignore_errors: bool = False,
        return_errors: bool = False,
        inplace: bool = False,
        multiindex: bool = False,
        pbar: bool = False,
    ) -> pd.DataFrame | None:
        """Add the columns to a table that holds structures.

        Raises
        ------
        FeatureError
            If a column of that name exists, or a structure cannot be featurized and
            ``ignore_errors`` is False.
        """
        column = col_id if isinstance(col_id, str) else col_id[0]
        labels = self._generate_column_labels(multiindex, return_errors)
        taken = [label for label in labels if label in df.columns]
        if taken:
            raise FeatureError(f"the table has a column {taken[0]!r} already; rename or drop it")
        structures = df[("Input Data", column)] if df.columns.nlevels > 1 else df[column]
        values = self.featurize_many(structures, ignore_errors, return_errors)
        new = pd.DataFrame(values, index=df.index, columns=labels)
        if multiindex and df.columns.nlevels == 1:
            levels = pd.MultiIndex.from_product([["Input Data"], df.columns])
            df = df if inplace else df.copy(deep=False)
            df.columns = levels
        if not inplace:
            return pd.concat([df, new], axis=1)
        df[list(new.columns)] = new
        return None

    def fit_featurize_dataframe(
        self, df: pd.DataFrame, col_id: str, fit_args: Any = None, **options: Any
    ) -> pd.DataFrame | None:
        """As :meth:`featurize_dataframe`: there is nothing to fit."""
        self.fit(df[col_id])
        return self.featurize_dataframe(df, col_id, **options)

    def precheck(self, structure: Any) -> bool:
        """True if the structure holds the mobile species and something else."""
        elements = {str(getattr(e, "symbol", e)) for e in structure.composition}
        return self.mobile in elements and len(elements) > 1

    def precheck_dataframe(
        self, df: pd.DataFrame, col_id: str, return_frac: bool = True, inplace: bool = False
    ) -> float | pd.DataFrame | None:
        """Share of structures that pass :meth:`precheck`, or the table with that as a column."""
        passes = [self.precheck(structure) for structure in df[col_id]]
        if return_frac:
            return float(np.mean(passes))
        target = df if inplace else df.copy(deep=False)
        target[f"{type(self).__name__} precheck pass"] = passes
        return None if inplace else target

    @property
    def n_jobs(self) -> int:
        """Processes that matminer may use around this featurizer."""
        return getattr(self, "_n_jobs", 1)

    def set_n_jobs(self, n_jobs: int) -> None:
        """Keep the number for matminer."""
        self._n_jobs = n_jobs

    @property
    def chunksize(self) -> int:
        """Structures that matminer hands to a process at a time."""
        return getattr(self, "_chunksize", 10)

    def set_chunksize(self, chunksize: int) -> None:
        """Keep the number for matminer."""
        self._chunksize = chunksize

    def _generate_column_labels(self, multiindex: bool, return_errors: bool) -> Any:
        name = type(self).__name__
        labels = self.feature_labels() + ([f"{name} Exceptions"] if return_errors else [])
        return pd.MultiIndex.from_product([[name], labels]) if multiindex else labels


def _unwrapped(entries: Any) -> list[Any]:
    """Structures from a list, Series, one-column table, or from matminer's tuples of one."""
    if isinstance(entries, pd.DataFrame):
        entries = entries.iloc[:, 0]
    # A pymatgen structure is a sequence of sites itself: only these wrap one.
    wrappers = (tuple, list, np.ndarray)
    return [entry[0] if isinstance(entry, wrappers) else entry for entry in entries]


def _bibtex(source: str) -> str:
    found = _DOI.search(source)
    if found is None:
        return f"@misc{{{_citation_key(source)}, title = {{{source}}}}}"
    return f"@article{{{_citation_key(source)}, note = {{{source}}}, doi = {{{found[0]}}}}}"


def _citation_key(source: str) -> str:
    return re.sub(r"\W+", "_", source.split(",")[0]).strip("_")
