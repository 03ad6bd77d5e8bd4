"""What ``ionsieve screen`` says on the terminal: the shortlist first, then the ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

Row = dict[str, Any]
_KNOWN_SHOWN: Final[int] = 5
_LEAST_NAME: Final[int] = 16


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """A column of a table, shown where there is room.

    Parameters
    ----------
    heading : str
    text : callable
        Cell of a row.
    order : int
        Columns of higher order are the first to go where the terminal is narrow.
    is_number : bool
        Set to the right.
    """

    heading: str
    text: Callable[[Row], str]
    order: int = 0
    is_number: bool = True


def print_screen(
    console: Console, ranking: pd.DataFrame, run: dict[str, Any], out: Path, top: int
) -> None:
    """Print the answer: what to compute next, then the ranking and what it is worth."""
    for line in follow_up_lines(run):
        _say(console, line)
    chosen = ranking[ranking["follow_up"].notna()].sort_values("follow_up")
    if len(chosen):
        _print_table(console, chosen.to_dict("records"), _shortlist_columns())
        for line in _start_lines(run, out):
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    _say(console, f"Top {min(top, len(ranking))} of {len(ranking):,} ranked")
    _print_table(console, ranking.head(top).to_dict("records"), _ranking_columns(run))
    for line in known_lines(run, len(ranking)):
        _say(console, line)
    console.print()
    for line in closing_lines(run, out):
        _say(console, line)


def _shortlist_columns() -> list[TableColumn]:
    from ..screening.pages.text import hours_text

    return [
        TableColumn(heading="#", text=lambda r: str(r["follow_up"])),
        *_common_columns(),
        TableColumn(heading="core h", text=lambda r: hours_text(r["core_hours"])),
        TableColumn(heading="rank", text=lambda r: str(r["rank"]), order=1),
        *_wide_columns(),
    ]


def _ranking_columns(run: dict[str, Any]) -> list[TableColumn]:
    from ..screening.pages.text import signed_text

    columns = [TableColumn(heading="#", text=lambda r: str(r["rank"])), *_common_columns()]
    columns += [
        TableColumn(heading="known", text=_known_text, is_number=False),
        *_wide_columns(),
    ]
    if "p_fast_experiment" in run.get("ranking_columns", ()):
        experiment = "log10_sigma_300K_experiment_S_cm"
        columns.insert(
            -1,
            TableColumn(
                heading="measured",
                # The measurements are of lithium conductors: of others they say nothing.
                text=lambda r: (
                    signed_text(r[experiment]) if r[experiment] == r[experiment] else "–"
                ),
                order=2,
            ),
        )
    return columns


def _common_columns() -> list[TableColumn]:
    from ..screening.pages.text import chance_text, signed_text

    return [
        TableColumn(heading="id", text=lambda r: str(r["id"]), is_number=False),
        TableColumn(heading="formula", text=lambda r: str(r["formula"]), is_number=False),
        TableColumn(heading="p_fast", text=lambda r: chance_text(r["p_fast"])),
        TableColumn(heading="log10 σ", text=lambda r: signed_text(r["log10_sigma_300K_S_cm"])),
    ]


def _wide_columns() -> list[TableColumn]:
    return [
        TableColumn(heading="90 % interval", text=_interval_text, order=2),
        TableColumn(heading="flags", text=_flags_text, order=3, is_number=False),
        TableColumn(heading="isolated anions", text=_isolated_text, order=4, is_number=False),
        TableColumn(heading="distance", text=lambda r: f"{r['domain_distance']:.2f}", order=5),
    ]


def _interval_text(row: Row) -> str:
    from ..screening.pages.text import signed_text

    low, high = row["log10_sigma_300K_low"], row["log10_sigma_300K_high"]
    return f"{signed_text(low, 1)} … {signed_text(high, 1)}"


def _flags_text(row: Row) -> str:
    return str(row["flags"]).replace(";", ", ")


def _isolated_text(row: Row) -> str:
    return f"{row['isolated_class']} {row['isolated_fraction']:.2f}"


def _known_text(row: Row) -> str:
    """Whether the AIMD table holds it."""
    relation = {"same": "yes", "isostructural": "type"}.get(str(row["known_relation"]))
    return relation or ("formula" if row["known_formula"] else "")


def _print_table(console: Console, rows: list[Row], columns: list[TableColumn]) -> None:
    """A table that fits the console: wide columns go first, then long names are shortened."""
    from rich.table import Table
    from rich.text import Text

    from ..screening.pages.text import shortened

    cells = {c.heading: [c.text(row) for row in rows] for c in columns}
    widths = {name: max(len(name), *map(len, texts)) for name, texts in cells.items()}
    shown, names = _that_fit(columns, widths, console.width)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in shown:
        side = "right" if column.is_number else "left"
        table.add_column(column.heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for k in range(len(rows)):
        table.add_row(
            *(
                Text(shortened(cells[c.heading][k], names.get(c.heading, widths[c.heading])))
                for c in shown
            )
        )
    console.print(table)


def _that_fit(
    columns: list[TableColumn], widths: dict[str, int], room: int
) -> tuple[list[TableColumn], dict[str, int]]:
    """Columns shown, and the width of those whose text must be cut."""
    shown = list(columns)

    def needed(least: bool) -> int:
        return sum(
            min(widths[c.heading], _LEAST_NAME) if least and not c.order else widths[c.heading]
            for c in shown
        ) + 2 * (len(shown) - 1)

    for order in sorted({c.order for c in columns if c.order}, reverse=True):
        if needed(least=False) > room:
            shown = [c for c in shown if c.order != order]
    excess = needed(least=False) - room
    cut = {}
    for name in ("id", "formula"):
        take = min(max(excess, 0), max(widths[name] - _LEAST_NAME, 0))
        if take:
            cut[name] = widths[name] - take
        excess -= take
    return shown, cut


def follow_up_lines(run: dict[str, Any]) -> list[str]:
    """What the shortlist is, may bring and costs."""
    from ..screening.pages.text import count_text, hours_text

    facts, ranked = run["follow_up"], run["counts"]["ranked"]
    new = ranked - facts["n_known"]
    if not facts["n"]:
        why = "none was asked for" if new else "all that was ranked is in the AIMD table"
        return [f"Compute next: nothing ({why})"]
    return [
        f"Compute next: {facts['n']} of {count_text(new, 'new candidate')}",
        f"  {facts['expected_fast']:.1f} fast conductors expected (90 %: {facts['fast_low']} to "
        f"{facts['fast_high']}), about {hours_text(facts['core_hours'])} core hours for a first "
        f"run of each ({facts['engine']}, {facts['temperature_K']:g} K)",
    ]


def _start_lines(run: dict[str, Any], out: Path) -> list[str]:
    from ..screening.screen.follow_up import follow_up_commands

    commands = follow_up_commands(str(out), run["follow_up"], run["settings"]["mobile"])
    return [f"start: {commands[0]}"]


def known_lines(run: dict[str, Any], n_ranked: int) -> list[str]:
    """Known conductors in the set and where they land."""
    known = run.get("known", [])
    if not known:
        return []
    shown = ", ".join(f"{k['formula']} #{k['rank']}" for k in known[:_KNOWN_SHOWN])
    more = f", {len(known) - _KNOWN_SHOWN} more" if len(known) > _KNOWN_SHOWN else ""
    return [
        f"{len(known)} of the {n_ranked:,} are conductors of the AIMD table, on which the model "
        f"was trained: {shown}{more}"
    ]


def closing_lines(run: dict[str, Any], out: Path) -> list[str]:
    """What the numbers are worth, where everything is, and the next step."""
    counts, training = run["counts"], run["model"]["training"]
    return [
        "σ at 300 K in S/cm, as AIMD would find it (optimistic against experiment). known: in the "
        "AIMD table, or of the structure type or formula of an entry",
        f"model: {training['n_labels']} AIMD labels of {training['n_structures']} structures, "
        f"{training['n_bounds']} of them bounds; mean error in decades, held out:",
        *_held_out_lines(run["model"]["held_out"]),
        *_foreign_lines(run["settings"]["mobile"], run["model"]["label_mobile"]),
        *_pooled_lines(run["settings"]["mobile"], run["model"].get("labels_by_mobile", {})),
        *(_funnel_lines(run["funnel"]) if counts["filtered"] else []),
        f"{counts['ranked']:,} ranked, {counts['filtered']:,} filtered out (funnel.csv), "
        f"{counts['quarantined']:,} quarantined (quarantine.csv), all in {out}",
        *_note_lines(counts.get("with_notes", 0)),
        *_disorder_lines(counts),
        f"next: open {out / 'report.html'}; why a rank: ionsieve explain {out} 1; screen your "
        "own: ionsieve screen FOLDER_OF_CIFS --out DIR",
    ]


def _disorder_lines(counts: dict[str, int]) -> list[str]:
    ordered, average = counts.get("ordered", 0), counts.get("average", 0)
    if not ordered + average:
        return []
    return [
        f"{ordered + average:,} too disordered for descriptors: for {ordered:,} an ordered cell "
        f"stands, {average:,} are used as their average (column note)"
    ]


def _note_lines(n_with_notes: int) -> list[str]:
    """Structures that the reader remarks on."""
    if not n_with_notes:
        return []
    return [
        f"{n_with_notes:,} ranked with a remark of the reader, such as a formula that differs: "
        "column note of ranking.csv"
    ]


def _foreign_lines(mobile: str, label_mobile: str) -> list[str]:
    """A warning where the model knows another mobile species only."""
    if mobile == label_mobile:
        return []
    return [
        f"no label is of {mobile}: the model learned from {label_mobile} conductors alone, and "
        f"neither predictions nor intervals were tested on {mobile}; all are out_of_domain"
    ]


def _pooled_lines(mobile: str, labels_by_mobile: dict[str, int]) -> list[str]:
    """How many labels are of the species asked for, where others were learned from, too."""
    own = labels_by_mobile.get(mobile, 0)
    others = [f"{n} of {name}" for name, n in sorted(labels_by_mobile.items()) if name != mobile]
    if not own or not others:
        return []
    return [f"labels: {own} of {mobile} conductors, {', '.join(others)}"]


def _held_out_lines(held_out: dict[str, Any]) -> Iterable[str]:
    """One line a scheme: error of the model with interval, beside the naive baseline."""
    for scheme, methods in held_out.items():
        (mae, low, high), naive = methods["model"]["mae"], methods["temperature only"]["mae"][0]
        inside = methods["model"]["coverage"][0]
        yield (
            f"  {scheme.replace('_', ' ')}: {mae:.2f} [{low:.2f}, {high:.2f}], knowing only the "
            f"temperature {naive:.2f}; 90 % interval holds {inside:.0%}"
        )


def _funnel_lines(funnel: list[dict[str, Any]]) -> list[str]:
    return [
        f"  {stage['stage']:<22} {stage['kept']:>9,} kept {stage['dropped']:>9,} dropped: "
        f"{stage['reason']}"
        for stage in funnel
    ]


def _say(console: Console, line: str) -> None:
    """A line, wrapped at words with its indentation kept."""
    from rich.padding import Padding
    from rich.text import Text

    indent = len(line) - len(line.lstrip())
    console.print(Padding(Text(line.lstrip(), overflow="fold"), (0, 0, 0, indent)))
