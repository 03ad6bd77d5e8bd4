"""What ``train``, ``evaluate`` and ``predict`` share: structures in, feature table out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..screening.batch.limits import TIMEOUT_S

if TYPE_CHECKING:
    import pandas as pd

    from ..data.records import Quarantined, StructureRecord
    from ..models.fidelity import OtherKind

Advance = Callable[[str, int, int], None]

TARGETS: Final = {
    "sigma": "sigma_S_cm",
    "conductivity": "sigma_S_cm",
    "diffusivity": "diffusivity_cm2_s",
    "t_onset": "t_onset_K",
    "onset": "t_onset_K",
}
"""Short names of targets; the quantities of the label table are names, too."""


@dataclass
class FeatureInputs:
    """Structures with features, and what was put aside."""

    features: pd.DataFrame
    structures: pd.DataFrame
    quarantined: list[Quarantined] = field(default_factory=list)

    def summary(self) -> str:
        """One line: used and quarantined."""
        return f"{len(self.features)} structures used, {len(self.quarantined)} quarantined"


@dataclass
class LabelledInputs:
    """Features and the labels that belong to them."""

    inputs: FeatureInputs
    labels: pd.DataFrame
    quantity: str
    notes: list[str]
    """Counts of what was left out, for terminal and card."""


def target_quantity(target: str) -> str:
    """Quantity of the label table for a target given by the user."""
    from ..data.errors import InputError
    from ..data.records import QUANTITIES

    quantity = TARGETS.get(target, target)
    if quantity not in QUANTITIES:
        names = ", ".join((*TARGETS, *QUANTITIES))
        raise InputError(f"--target {target}: choose one of {names}")
    return quantity


def feature_inputs(paths: Sequence[Path], mobile: str, advance: Advance) -> FeatureInputs:
    """Read structures and compute features; what cannot be used is kept with its reason."""
    from ..data.errors import InputError
    from ..data.sources.files import read_structures
    from ..models import describe_structures

    found = read_structures(list(paths), mobile=mobile)
    records = list(found.records)
    features, rejected = _features(records, mobile, advance)
    quarantined = [*found.quarantined, *rejected]
    if features.empty:
        reason = f"; first: {quarantined[0].reason}" if quarantined else ""
        raise InputError(f"no structure among {len(quarantined)} inputs can be used{reason}")
    kept = [r for r in records if r.id in features.index]
    return FeatureInputs(features, describe_structures(kept), quarantined)


def _features(
    records: list[StructureRecord], mobile: str, advance: Advance
) -> tuple[pd.DataFrame, list[Quarantined]]:
    """In isolated processes: a structure that hangs or crashes one is quarantined, no more."""
    from ..data.records import Quarantined
    from ..features.catalogue import FAMILY_NAMES
    from ..features.featurizer import numeric_columns, rows_to_frame
    from ..screening.batch.batch import FeatureJob
    from ..screening.batch.workers import run_isolated

    rows, rejected = [], []
    found = {}
    outcomes = run_isolated(FeatureJob(FAMILY_NAMES, mobile), enumerate(records), 1, TIMEOUT_S)
    for done, outcome in enumerate(outcomes, start=1):
        found[outcome.index] = outcome
        advance("features", done, len(records))
    # In the order of the input, whatever order the workers finish in.
    for index, record in enumerate(records):
        row = found[index].result
        if row is None or row.values is None:
            reason = found[index].failure if row is None else row.reason
            file = record.provenance.file or ""
            rejected.append(Quarantined(record.id, file, "features", reason or "no features"))
        else:
            rows.append(row)
    return rows_to_frame(rows, None)[numeric_columns()], rejected


def labelled_inputs(
    labels: Path,
    structures: Sequence[Path],
    target: str,
    kind: str | None,
    groups: str,
    mobile: str,
    advance: Advance,
) -> LabelledInputs:
    """Labels and features of one target and kind, grouped as wanted."""
    from ..data.errors import InputError
    from ..data.transport.label_table import label_report, read_label_table, select_labels
    from ..models import make_splitter

    quantity = target_quantity(target)
    table = select_labels(read_label_table(labels), quantity, kind)
    report = label_report(table)
    notes = report.lines()
    table = table.drop(index=report.duplicates.index).reset_index(drop=True)
    splitter = make_splitter(groups)
    inputs = feature_inputs(structures, mobile, advance)
    notes.append(inputs.summary())
    known = table["structure_id"].isin(inputs.features.index)
    if not known.any():
        example = table["structure_id"].iloc[0]
        raise InputError(
            f"no structure_id of {labels} (first: {example}) names a structure of the input "
            f"(first: {inputs.features.index[0]}); ids are file names without ending"
        )
    lost = table.loc[~known, "structure_id"].nunique()
    if lost:
        notes.append(f"{lost} labelled structures are not among the usable ones: labels left out")
    used = table[known].reset_index(drop=True)
    used = splitter.assign(used, inputs.structures, inputs.features)
    return LabelledInputs(inputs, used, quantity, notes)


def learner_names(text: str) -> tuple[str, ...]:
    """Learner families from ``--learners``."""
    from ..data.errors import InputError
    from ..models.ensemble import MEMBERS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in MEMBERS]
    if unknown or not names or len(set(names)) < len(names):
        raise InputError(f"--learners {text}: give {', '.join(MEMBERS)}, each at most once")
    return names


def add_other_kind(
    data: LabelledInputs,
    labels: Path,
    structures: Sequence[Path] | None,
    mobile: str,
    seed: int,
    advance: Advance,
) -> OtherKind:
    """A model of another kind; its out-of-fold predictions become a feature of ``data``."""
    from ..data.errors import InputError
    from ..data.transport.label_table import read_label_table, select_labels
    from ..models import make_model
    from ..models.fidelity import learn_other_kind

    table = read_label_table(labels)
    quantities = sorted(set(table["quantity"]))
    if len(quantities) > 1:
        raise InputError(f"{labels} holds {', '.join(quantities)}; give a file of one quantity")
    table = select_labels(table, quantities[0], None)
    kind = str(table["kind"].iloc[0])
    if kind == data.labels["kind"].iloc[0]:
        raise InputError(f"{labels} holds {kind}, the kind of --labels: add its rows to --labels")
    other = feature_inputs(structures, mobile, advance) if structures else data.inputs
    data.inputs.features, found = learn_other_kind(
        data.inputs.features,
        data.inputs.structures["chemsys"],
        other.features,
        other.structures["chemsys"],
        table,
        lambda: make_model(quantities[0], seed=seed),
        seed=seed,
    )
    used = found.model.training_["n_structures"]
    data.notes.append(f"feature {found.column}: a model of {used} structures labelled by {kind}")
    return found


def write_quarantine(path: Path, quarantined: Sequence[Quarantined]) -> None:
    """Write what was not used, and why, as CSV."""
    import pandas as pd

    from ..data.atomic import write_text_atomic

    columns = ["id", "file", "stage", "reason"]
    rows = [[q.id, q.file, q.stage, q.reason] for q in quarantined]
    write_text_atomic(path, pd.DataFrame(rows, columns=columns).to_csv(index=False))


def run_context(seed: int, groups: str, labels: Path, kind: str) -> dict[str, Any]:
    """What a run used, for cards and JSON."""
    from hashlib import sha256
    from importlib.metadata import version

    from .. import __version__

    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "xgboost"))
    return {
        "kind": kind,
        "grouped_by": groups,
        "seed": seed,
        "labels": labels.name,
        "labels_sha256": sha256(labels.read_bytes()).hexdigest(),
        "versions": f"ionsieve {__version__}, {packages}",
    }
