"""What ``ionsieve campaign`` prints: lines made of what its verbs return."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.identifiers import printable

if TYPE_CHECKING:
    from ..screening.campaign.collection import Collection
    from ..screening.campaign.loop import Retraining
    from ..screening.campaign.submission import Submission
    from ..screening.engines.engine import Readiness


def made_lines(folder: Path, counts: dict[str, int], ready: Readiness) -> list[str]:
    """Of ``init``: how many, what is known already, and whether the engine runs here."""
    lines = [f"{counts['candidates']:,} candidates, {counts['quarantined']:,} quarantined"]
    if counts["known"]:
        lines.append(
            f"{counts['known']:,} of them are known: a label table holds them (quarantine.csv says "
            "which); --known takes them all the same"
        )
    return [
        *lines,
        ready.text if ready.here else f"notice: {ready.text}",
        f"next: ionsieve campaign propose {folder}",
    ]


def proposed_lines(folder: Path, found: Any) -> list[str]:
    """Of ``propose``: the round, why each candidate, the stop rule."""
    rule = [f"stop rule: {found.decision.reason}"] if found.decision is not None else []
    if found.round is None:
        ways = "retrain on new labels, add --anyway, or end with 'ionsieve campaign stop'"
        return ["nothing proposed", *rule, ways]
    hours = sum(pick["core_hours"] for pick in found.picks)
    head = f"round {found.round}" if found.new else f"round {found.round}, proposed before and not"
    state = "" if found.new else " submitted yet"
    return [
        f"{head}{state}: {len(found.jobs)} jobs of {len(found.picks)} candidates, "
        f"{hours:,.0f} core hours estimated",
        *(line for pick in found.picks for line in (_pick_line(pick), *_cell_lines(pick))),
        *_expectation_lines(found),
        *(f"{folder / 'jobs' / job}" for job in found.jobs),
        *rule,
        *(f"notice: {text}" for text in found.notices),
        f"next: ionsieve campaign submit {folder}",
    ]


def _expectation_lines(found: Any) -> list[str]:
    if found.expected is None or found.greedy is None:
        return []
    return [
        f"expected: {found.expected}",
        f"by expected conductivity alone: {found.greedy}",
    ]


def _cell_lines(pick: dict[str, Any]) -> list[str]:
    """The cells that were weighed; none where there was no choice."""
    cells = pick.get("cells", ())
    if len(cells) < 2:
        return []
    return [
        f"    {'>' if cell['chosen'] else ' '} {cell['n_atoms']} atoms, images "
        f"{cell['image_distance_A']:.1f} Å, occupancies ± {cell['occupancy_change']:.3f}, "
        f"composition ± {100 * cell['composition_change']:.1f} %, cost × "
        f"{cell['relative_cost']:.2f}"
        for cell in cells
    ]


def _pick_line(pick: dict[str, Any]) -> str:
    score = "drawn at random" if pick["score"] is None else f"score {pick['score']:.2f}"
    quota = ", out-of-domain quota" if pick["reason"] == "out_of_domain_quota" else ""
    return (
        f"  {pick['formula']} ({printable(pick['candidate'])}): log10 σ(300 K) "
        f"{pick['log10_sigma_300K']:.2f} ± {pick['sd']:.2f}, {pick['core_hours']:,.0f} core hours, "
        f"{score}{quota}"
    )


def submitted_lines(folder: Path, done: Submission, run: bool, command: str | None) -> list[str]:
    """Of ``submit``: scripts, how runs ended, what is to be done."""
    if not (done.ready or done.ran or done.running):
        return [
            f"no job is ready: 'ionsieve campaign propose {folder}' makes some, 'status' shows "
            "those under way"
        ]
    lines = [f"{folder / script}" for script in done.scripts]
    lines += [f"{job}: exit status {code}" for job, code in done.ran.items()]
    lines += [f"{job}: left alone, a process here runs it already" for job in done.running]
    lines += _trouble_lines(done)
    if command:
        lines.append(f"{len(done.ready)} jobs handed over")
    elif not run:
        lines.append(
            f"{len(done.ready)} jobs wait: give --command 'sbatch {{script}}' (or qsub), or "
            "--run, or start each job.sh yourself"
        )
    return [*lines, f"next, at any time: ionsieve campaign collect {folder}"]


def _trouble_lines(found: Submission | Collection) -> list[str]:
    kinds = ("failed", "blocked", "interrupted")
    return [f"{job}: {kind}: {why}" for kind in kinds for job, why in getattr(found, kind).items()]


def collected_lines(folder: Path, found: Collection) -> list[str]:
    """Of ``collect``: verdicts, failures, follow-ups."""
    lines = [
        *(f"{job}: {verdict}" for job, verdict in found.results.items()),
        *_trouble_lines(found),
        *(f"{job}: has shown enough and ends: {why}" for job, why in found.stopped_early.items()),
        *(
            f"{job}: trajectory refused, the job is as it was: {reason}"
            for job, reason in found.refused.items()
        ),
        *(f"{printable(name)}: {step}" for name, step in found.follow_up.items()),
        f"{len(found.results)} new results, {len(found.failed)} failed, "
        f"{len(found.blocked)} blocked, {len(found.interrupted)} interrupted, "
        f"{len(found.waiting)} without output yet",
    ]
    if found.saved_core_hours:
        lines.append(f"{found.saved_core_hours:,.0f} core hours saved by runs that ended early")
    if found.ready:
        lines.append(f"{found.ready} jobs to submit: ionsieve campaign submit {folder}")
    if found.results:
        lines.append(f"next: ionsieve campaign retrain {folder}")
    return lines


def retrained_lines(folder: Path, found: Retraining) -> list[str]:
    """Of ``retrain``: labels, and held-out errors before and after."""
    kept = "" if found.new else " kept, as no result is new"
    text = (
        f"model {found.model_id}{kept}: {found.n_labels} labels, "
        f"{found.n_campaign_labels} from this campaign's {found.n_results} results"
    )
    return [text, *_accuracy_lines(found), f"next: ionsieve campaign propose {folder}"]


def _accuracy_lines(found: Retraining) -> list[str]:
    """Held-out error of the new model beside that of the one before."""
    lines = []
    for left_out, methods in (found.held_out or {}).items():
        (mae, low, high), before = methods["model"]["mae"], found.held_out_before or {}
        was = before.get(left_out, {}).get("model", {}).get("mae", [None])[0]
        told = "" if was is None else f"; model before {was:.2f}"
        if mae is not None:
            lines.append(
                f"  {left_out.replace('_', ' ')}: mean error {mae:.2f} [{low:.2f}, {high:.2f}] "
                f"decades{told}"
            )
    return lines


def status_lines(found: dict[str, Any]) -> list[str]:
    """Of ``status``: numbers, open jobs, the last decision."""
    jobs = ", ".join(f"{n} {state}" for state, n in sorted(found["jobs"].items())) or "none"
    verdicts = ", ".join(f"{n} {v}" for v, n in sorted(found["verdicts"].items())) or "none"
    lines = [
        f"{found['candidates']:,} candidates, {found['rounds']} rounds, model "
        f"{found['model']['id']} on {found['model']['n_labels']} labels",
        f"jobs: {jobs}",
        f"results: {verdicts}; {found['labels']} labels",
        *(_open_job_line(name, job) for name, job in found["open_jobs"].items()),
        *(f"  {name}: failed: {why}" for name, why in found["failures"].items()),
    ]
    if saved := found["saved_core_hours"]:
        lines.append(f"{saved:,.0f} core hours saved by runs that ended early")
    if decision := found["decision"]:
        lines.append(f"stop rule, model {decision['model_id']}: {decision['reason']}")
    if found["stopped"]:
        lines.append(f"stopped: {found['stopped']['reason']}")
    return lines


def _open_job_line(name: str, job: dict[str, Any]) -> str:
    """Where an open job is, and why it does not run."""
    line = f"  {name}: {job['state']}, {job.get('done_steps', 0):,} of {job['n_steps']:,} steps"
    if job.get("inside"):
        line += f", {job['inside']}"
    if job.get("hours_left") is not None:
        line += f", about {_duration(job['hours_left'])} left"
    if job["verdict"]:
        line += f", {job['verdict']} so far"
    return f"{line}: {job['why']}" if job.get("why") else line


def _duration(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.0f} h"
