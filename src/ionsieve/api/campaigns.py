"""The active-learning loop from Python: one object for one campaign folder."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..screening.campaign.collection import Collection, collect
from ..screening.campaign.loop import Proposal, Retraining, propose, retrain
from ..screening.campaign.settings import CampaignSettings
from ..screening.campaign.setup import init_campaign
from ..screening.campaign.status import status
from ..screening.campaign.submission import Submission, submit


class Campaign:
    """A campaign folder: its state lies on disk, so any process may open it at any time.

    Parameters
    ----------
    folder : path
        An existing campaign; :meth:`create` makes one.

    Raises
    ------
    InputError
        If the folder is no campaign.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        status(self.folder)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        inputs: str | Path | Sequence[str | Path] = (),
        *,
        cache: bool = True,
        **settings: Any,
    ) -> Campaign:
        """Make a campaign of candidates: files, folders, or the embedded candidates.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty.
        inputs : path or sequence of path
        cache : bool
            Keep the trained model between campaigns.
        **settings
            Fields of :class:`~ionsieve.screening.campaign.settings.CampaignSettings`: ``engine``,
            ``batch_size``, ``protocol`` and others.

        Raises
        ------
        InputError
            If the folder is in use, a setting is wrong, or nothing can be simulated.
        """
        from ..cli.cache import model_cache

        paths = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
        chosen = CampaignSettings(**settings)
        init_campaign(folder, paths, chosen, model_cache() if cache else None)
        return cls(folder)

    def propose(self, size: int | None = None, *, anyway: bool = False) -> Proposal:
        """Choose the next batch and write its job folders; twice buys once."""
        return propose(self.folder, size, anyway)

    def submit(
        self, *, run: bool = False, command: str | None = None, limit: int | None = None
    ) -> Submission:
        """Hand jobs over: run them here, or by a command such as ``sbatch {script}``."""
        return submit(self.folder, run, command, limit)

    def collect(self) -> Collection:
        """Read what jobs have shown, as labels, bounds or failures with their causes."""
        return collect(self.folder)

    def retrain(self) -> Retraining:
        """Train on the embedded labels and those that came back; nothing if no result is new."""
        return retrain(self.folder)

    def status(self) -> dict[str, Any]:
        """Numbers of everything, and how far each open job got."""
        return status(self.folder)

    def __repr__(self) -> str:
        facts = self.status()
        jobs = ", ".join(f"{n} {state}" for state, n in sorted(facts["jobs"].items())) or "no jobs"
        return (
            f"<campaign {self.folder.name}: {facts['candidates']} candidates, engine "
            f"{facts['engine']}, {jobs}, {facts['labels']} labels>"
        )

    def _repr_html_(self) -> str:
        from .views import table

        facts = self.status()
        rows = [[escape(k), escape(str(v))] for k, v in facts.items() if not isinstance(v, dict)]
        return table(("", repr(self)[1:-1]), rows)
