"""Structures that kill, hang or fail in descriptors, for processes that cannot be monkeypatched.

A module that a worker imports: ``poisoned`` stands for :func:`ionsieve.features.rows.featurize_one`
and acts by the id of the structure. ``install`` puts it in place; Dask workers preload this file.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from ionsieve.features.rows import featurize_one
from ionsieve.screening.batch import store_parts

ONCE = "IONSIEVE_TEST_ONCE"
"""Names a file: the structure ``once`` kills its process only while there is none."""


def poisoned(record: Any, chosen: Any, mobile: str) -> Any:
    if record.id == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if record.id == "hangs":
        time.sleep(1000)
    if record.id == "once" and not Path(os.environ[ONCE]).exists():
        Path(os.environ[ONCE]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return featurize_one(record, chosen, mobile)


def install() -> None:
    store_parts.featurize_one = poisoned


def dask_setup(worker: Any) -> None:
    install()
