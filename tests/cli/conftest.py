"""The command line in this process: error boundary included, imports paid once.

Each command is also called from a shell, by one test of its file.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ionsieve.cli.main import main

Call = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call ``ionsieve`` with arguments, in a folder where one is named."""

    def call(*arguments: object, cwd: Path | None = None) -> "CompletedProcess[str]":
        words = ["ionsieve", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        code: object = 0
        with monkeypatch.context() as patch:
            if cwd is not None:
                patch.chdir(cwd)
            try:
                main()
            except SystemExit as end:
                code = end.code
        shown = capsys.readouterr()
        return CompletedProcess(words, code if isinstance(code, int) else 0, shown.out, shown.err)

    return call
