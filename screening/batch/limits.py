"""Limits of the computation of descriptors; imports nothing, so that help texts can name them."""

from typing import Final

TIMEOUT_S: Final[float] = 120.0
"""Longest time for the descriptors of one structure, s; a slower one is set aside as failed."""
MAX_WORKERS: Final[int] = 8
"""Processes taken by default where a machine has more cores."""
