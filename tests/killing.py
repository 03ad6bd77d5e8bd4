"""Kill a job of a real engine as a node that dies would."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ionsieve.data.atomic import file_lock


def run_and_kill(where: Path, enough: Callable[[], bool]) -> None:
    """Start job.sh and kill it with all that it started once ``enough()`` says so."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(["sh", "job.sh"], cwd=where, env=environment, start_new_session=True)
    while not enough():
        assert running.poll() is None, "ended before it was killed"
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    # A helper of the program (MPI's daemon) may hold the job's lock for a moment longer.
    with file_lock(where / ".lock", wait=True):
        pass
