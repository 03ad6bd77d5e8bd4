"""Where trained models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def model_cache() -> Path | None:
    """Cache folder of the user (``IONSIEVE_CACHE`` overrides); None if it cannot be written."""
    from platformdirs import user_cache_path

    given = os.environ.get("IONSIEVE_CACHE")
    folder = (Path(given) if given else user_cache_path("ionsieve")) / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
