"""Opening a campaign folder: the one way to its state and its settings."""

from __future__ import annotations

from pathlib import Path

from .settings import CampaignSettings
from .store import CampaignStore


def open_campaign(folder: str | Path) -> tuple[CampaignStore, CampaignSettings]:
    """Open a campaign folder and its settings.

    Raises
    ------
    InputError
        If the folder holds no campaign, or one of another schema version.
    """
    store = CampaignStore(folder)
    return store, CampaignSettings.from_dict(store.settings())
