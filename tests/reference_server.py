"""Start the OPTIMADE reference server (:mod:`optimade_reference`) for a test."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests


@contextmanager
def reference_server(documents: Path) -> Iterator[str]:
    """Address of a server on loopback that serves a file; skips where it is not installed."""
    pytest.importorskip("optimade.server.create_app", reason="install optimade[server]")
    folder, port = documents.parent, free_port()
    script = Path(__file__).parent / "data" / "optimade_reference.py"
    log = folder / "server.log"
    environment = {**os.environ, "OPTIMADE_CONFIG_FILE": str(folder / "absent.json")}
    command = [sys.executable, str(script), str(port), str(documents)]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env=environment, cwd=folder
        )
        try:
            _wait_for(f"{url}/v1/info", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            pytest.fail(f"the reference server ended: {log.read_text()[-2000:]}")
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.25)
    pytest.fail(f"the reference server does not answer: {log.read_text()[-2000:]}")
