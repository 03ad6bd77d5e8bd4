"""What ``train``, ``evaluate`` and ``predict`` share: structures in, feature table out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

    from ..data.records import Quarantined, StructureRecord
    from ..data.sources.compositions import CompositionRecord
    from ..features.rows import FeatureRow
    from ..models.fidelity import OtherKind
    from ..screening.batch.given_rows import GivenRows
    from ..screening.batch.shared_rows import SharedEngine
    from .model_options import LabelledOptions

Advance = Callable[[str, int, int], None]

TARGETS: Final = {
    "sigma": "sigma_S_cm",
    "conductivity": "sigma_S_cm",
    "diffusivity": "diffusivity_cm2_s",
    "t_onset": "t_onset_K",
    "onset": "t_onset_K",
}
"""Short names of targets; the quantities of the label table are names, too."""


@dataclass(kw_only=True)
class FeatureInputs:
    """Materials with features, and what was put aside."""

    features: pd.DataFrame
    structures: pd.DataFrame
    """Formula, chemical system and prototype of each material."""
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """By id: what stands for the structure that was given, or that there is none."""
    without_structure: frozenset[str] = frozenset()
    """Ids answered from composition, cell and space group alone."""
    remarks: dict[str, str] = field(default_factory=dict)
    """By id: what the reader remarks on the file, such as a formula that differs."""

    def summary(self) -> str:
        """One line: used and quarantined."""
        tally = Tally()
        tally.add(self)
        return tally.summary()

    def note(self, row_id: str) -> str:
        """Everything that has to be said of one material."""
        return "; ".join(filter(None, [self.notes.get(row_id), self.remarks.get(row_id)]))


@dataclass(kw_only=True)
class Tally:
    """How many materials went which way, over blocks of them."""

    n_used: int = 0
    n_bare: int = 0
    """Answered from composition alone."""
    n_stand_ins: int = 0
    """For which an ordered cell or an average stands."""
    n_remarks: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)

    def add(self, found: FeatureInputs) -> None:
        """Count a block."""
        self.n_used += len(found.features)
        self.n_bare += len(found.without_structure)
        self.n_stand_ins += len(set(found.notes) - found.without_structure)
        self.n_remarks += len(found.remarks)
        self.quarantined += found.quarantined

    def summary(self) -> str:
        """One line: used and quarantined."""
        parts = [f"{self.n_used - self.n_bare} structures used"]
        if self.n_bare:
            parts.append(f"{self.n_bare} materials by composition alone")
        if self.n_stand_ins:
            stand = "too disordered stand as an ordered cell or their average"
            parts.append(f"{self.n_stand_ins} {stand}")
        if self.n_remarks:
            parts.append(f"{self.n_remarks} with a remark of the reader")
        return ", ".join([*parts, f"{len(self.quarantined)} quarantined"])


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


def feature_inputs(
    structures: Sequence[Path],
    compositions: Sequence[Path],
    mobile: str,
    advance: Advance,
    labelled: Sequence[CompositionRecord] = (),
    workers: int = 1,
    shared: SharedEngine | None = None,
) -> FeatureInputs:
    """Read structures and compositions and compute features; nothing is lost without a reason.

    A structure of the same id goes before a composition. A structure that descriptors cannot take
    is answered from its composition and cell.

    Parameters
    ----------
    structures, compositions : sequence of path
    mobile : str
    advance : callable
    labelled : sequence of CompositionRecord
        Further compositions, from a label table.
    workers : int
        Processes for descriptors.
    shared : SharedEngine, optional
        What computes them instead of processes of this machine.

    Raises
    ------
    InputError
        If nothing can be used.
    """
    from ..data.errors import InputError
    from ..data.sources.compositions import read_compositions
    from ..data.sources.files import ReadResult, read_structures

    if not (structures or compositions or labelled):
        raise InputError("nothing to compute features of: give structures or --compositions")
    found = read_structures(list(structures), mobile=mobile) if structures else ReadResult()
    quarantined = list(found.quarantined)
    bare: list[CompositionRecord] = []
    for path in compositions:
        table = read_compositions(path)
        bare += table.records
        quarantined += table.quarantined
    bare += labelled
    rows, notes = structure_rows(list(found.records), mobile, advance, workers, shared)
    notes = {**found.notes, **notes}
    answered = {row.id for row in rows}
    more, refused = composition_rows(bare, answered, mobile)
    quarantined += refused
    if not rows and not more:
        reason = f"; first: {quarantined[0].reason}" if quarantined else ""
        raise InputError(f"no material among {len(quarantined)} inputs can be used{reason}")
    notes |= {record.id: bare_note(record.note) for record, _ in more}
    return _table(
        found.records,
        rows,
        more,
        quarantined,
        {row_id: note for row_id, note in notes.items() if note},
    )


def bare_note(note: str) -> str:
    """What is said of a material answered from its composition."""
    return "; ".join(filter(None, ["by composition alone", note]))


def _table(
    records: Sequence[StructureRecord],
    rows: Sequence[FeatureRow],
    more: Sequence[tuple[CompositionRecord, FeatureRow]],
    quarantined: list[Quarantined],
    notes: dict[str, str],
) -> FeatureInputs:
    import pandas as pd

    from ..features.featurizer import numeric_columns, rows_to_frame
    from ..features.without_structure import NO_STRUCTURE
    from ..models import describe_compositions, describe_structures

    everything = [*rows, *(row for _, row in more)]
    kept = {row.id for row in rows}
    described = [
        describe_structures([r for r in records if r.id in kept]),
        describe_compositions(
            {c.id: c.amounts for c, _ in more}, {c.id: c.space_group_number for c, _ in more}
        ),
    ]
    return FeatureInputs(
        features=rows_to_frame(everything, None)[numeric_columns()],
        structures=pd.concat([one for one in described if len(one)]),
        quarantined=quarantined,
        notes=notes,
        without_structure=frozenset(
            row.id for row in everything if row.reason.startswith(NO_STRUCTURE)
        ),
        remarks={r.id: "; ".join(r.notes) for r in records if r.id in kept and r.notes},
    )


def composition_rows(
    records: Sequence[CompositionRecord],
    answered: set[str],
    mobile: str,
    earlier: dict[str, CompositionRecord] | None = None,
) -> tuple[list[tuple[CompositionRecord, FeatureRow]], list[Quarantined]]:
    """Features of compositions whose id has no structure; a second one of an id is set aside.

    ``earlier`` holds those of the blocks before, by id, and takes up these.
    """
    from ..data.records import Quarantined
    from ..features.without_structure import composition_row

    known = {} if earlier is None else earlier
    found = []
    refused = []
    for record in records:
        if record.id in answered:
            continue
        if record.id in known:
            same = dict(known[record.id].amounts) == dict(record.amounts)
            if not same:
                reason = "another composition of this id came before; rename one of the two"
                refused.append(Quarantined(record.id, record.file, "same_id", reason))
            continue
        row = composition_row(
            record.id, record.amounts, mobile, record.volume_A3, record.space_group_number
        )
        if row.values is None:
            reason = row.reason.removeprefix(f"{record.id}: ")
            refused.append(Quarantined(record.id, record.file, "policy", reason))
        else:
            known[record.id] = record
            found.append((record, row))
    return found, refused


def structure_rows(
    records: list[StructureRecord],
    mobile: str,
    advance: Advance,
    workers: int,
    shared: SharedEngine | None,
    given: GivenRows | None = None,
) -> tuple[list[FeatureRow], dict[str, str]]:
    """In isolated processes: a structure that hangs or crashes one is answered without it."""
    from ..features.without_structure import composition_row
    from ..screening.batch.row_cache import described_rows
    from .cache import model_cache

    found = described_rows(
        records,
        mobile=mobile,
        workers=workers,
        on_done=lambda done: advance("features", done, len(records)),
        cache=model_cache(),
        shared=shared,
        given=given,
    )
    rows, notes = [], {}
    for record, described in zip(records, found, strict=True):
        row = described
        if row.values is None:
            reason = (row.reason or "no features").removeprefix(f"{record.id}: ")
            row = composition_row(record.id, record.composition, mobile, record.volume_A3)
            notes[record.id] = f"by composition and cell alone, as the structure fails: {reason}"
        rows.append(row)
    return rows, notes


def labelled_inputs(
    options: LabelledOptions, advance: Advance, shared: SharedEngine | None = None
) -> LabelledInputs:
    """Labels and features of one target and kind, grouped as wanted."""
    from ..data.errors import InputError
    from ..data.transport.label_table import label_report, read_label_table, select_labels
    from ..models import make_splitter

    quantity = target_quantity(options.target)
    table = select_labels(read_label_table(options.labels), quantity, options.kind)
    report = label_report(table)
    notes = report.lines()
    table = table.drop(index=report.duplicates.index).reset_index(drop=True)
    splitter = make_splitter(options.groups)
    inputs = feature_inputs(
        options.structures or [],
        options.compositions or [],
        options.mobile,
        advance,
        _labelled_compositions(table, options.labels),
        options.workers,
        shared,
    )
    notes.append(inputs.summary())
    known = table["structure_id"].isin(inputs.features.index)
    if not known.any():
        example = table["structure_id"].iloc[0]
        raise InputError(
            f"no structure_id of {options.labels} (first: {example}) names a material of the input "
            f"(first: {inputs.features.index[0]}); ids are file names without ending, or the "
            "column id of --compositions"
        )
    lost = table.loc[~known, "structure_id"].nunique()
    if lost:
        notes.append(f"{lost} labelled materials are not among the usable ones: labels left out")
    used = table[known].reset_index(drop=True)
    used = splitter.assign(used, inputs.structures, inputs.features)
    return LabelledInputs(inputs, used, quantity, notes)


def _labelled_compositions(table: pd.DataFrame, path: Path) -> list[CompositionRecord]:
    """Compositions that a label table gives beside its labels, one for each material."""
    from ..data.errors import InputError
    from ..data.sources.compositions import compositions_of

    if "composition" not in table.columns:
        return []
    given = table[table["composition"].fillna("").astype(str).str.strip() != ""]
    given = given.drop_duplicates("structure_id")
    if given.empty:
        return []
    found = compositions_of(given, str(path), "structure_id")
    if found.quarantined:
        first = found.quarantined[0]
        raise InputError(f"{path}: {first.id}: {first.reason.partition(': ')[2]}")
    return found.records


def learner_names(text: str) -> tuple[str, ...]:
    """Learner families from ``--learners``."""
    from ..data.errors import InputError
    from ..models.learners.registry import LEARNERS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in LEARNERS]
    if unknown or not names or len(set(names)) < len(names):
        raise InputError(f"--learners {text}: give {', '.join(LEARNERS)}, each at most once")
    return names


def add_other_kind(
    data: LabelledInputs,
    options: LabelledOptions,
    advance: Advance,
    shared: SharedEngine | None = None,
) -> OtherKind | None:
    """A model of another kind, if asked for; its out-of-fold predictions become a feature."""
    from ..data.errors import InputError
    from ..data.transport.label_table import read_label_table, select_labels
    from ..models import make_model
    from ..models.fidelity import learn_other_kind

    labels = options.fidelity_labels
    if labels is None:
        return None
    table = read_label_table(labels)
    quantities = sorted(set(table["quantity"]))
    if len(quantities) > 1:
        raise InputError(f"{labels} holds {', '.join(quantities)}; give a file of one quantity")
    table = select_labels(table, quantities[0], None)
    kind = str(table["kind"].iloc[0])
    if kind == data.labels["kind"].iloc[0]:
        raise InputError(f"{labels} holds {kind}, the kind of --labels: add its rows to --labels")
    structures = options.fidelity_structures
    other = data.inputs
    if structures:
        other = feature_inputs(
            structures, [], options.mobile, advance, workers=options.workers, shared=shared
        )
    data.inputs.features, found = learn_other_kind(
        data.inputs.features,
        data.inputs.structures["chemsys"],
        other.features,
        other.structures["chemsys"],
        table,
        lambda: make_model(quantities[0], seed=options.seed),
        seed=options.seed,
    )
    used = found.model.training_["n_structures"]
    data.notes.append(f"evidence {found.column}: a model of {used} structures labelled by {kind}")
    return found


def write_quarantine(path: Path, quarantined: Sequence[Quarantined]) -> None:
    """Write what was not used, and why, as CSV."""
    import pandas as pd

    from ..data.atomic import write_text_atomic
    from ..data.csv_text import csv_text

    columns = ["id", "file", "stage", "reason"]
    rows = [[q.id, q.file, q.stage, q.reason] for q in quarantined]
    write_text_atomic(path, csv_text(pd.DataFrame(rows, columns=columns)))


def run_context(options: LabelledOptions, kind: str) -> dict[str, Any]:
    """What a run used, for cards and JSON."""
    from hashlib import sha256

    from .. import __version__
    from ..data.libraries import version_of

    packages = ", ".join(f"{name} {version_of(name)}" for name in ("scikit-learn", "xgboost"))
    return {
        "kind": kind,
        "grouped_by": options.groups,
        "seed": options.seed,
        "labels": options.labels.name,
        "labels_sha256": sha256(options.labels.read_bytes()).hexdigest(),
        "versions": f"ionsieve {__version__}, {packages}",
    }
