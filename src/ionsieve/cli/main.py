"""Entry point and error boundary: importing this module imports no science.

Exit codes: 0 done; 1 the input or the run is at fault, with one line that says what; 2 wrong usage;
70 a defect in ionsieve; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback

import typer

from .. import __version__
from .settings import command_class
from .verbs import GROUPS, VERBS

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
_LONGEST_LINE = 1500
_FULL = (
    "no space is left on the disk that is written to; make room, or name another folder, and run "
    "the same command again"
)
"""An error may quote its input, which may be anything."""

app = typer.Typer(
    name="ionsieve",
    help="Screen crystal structures for fast solid-state ion conductors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ionsieve {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Screen crystal structures for fast solid-state ion conductors."""


for _name, _command in VERBS.items():
    app.command(_name, cls=command_class(_command))(_command)
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)


def main() -> None:
    """Run the command line; turn errors into one line and an exit code."""
    try:
        app()
    except KeyboardInterrupt:
        _fail("interrupted; what was finished is kept", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (``| head``): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_INPUT) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail(_FULL, EXIT_INPUT)
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", EXIT_INPUT)
    except Exception as error:
        # Said by SQLite, whose errors are no OSError, and by workers, in words.
        if "disk is full" in str(error) or os.strerror(errno.ENOSPC) in str(error):
            _fail(_FULL, EXIT_INPUT)
        # Imported only now: the error types live beside records, which import numpy.
        from ..data.errors import IonsieveError

        if isinstance(error, IonsieveError):
            _fail(str(error), EXIT_INPUT)
        if os.environ.get("IONSIEVE_DEBUG"):
            traceback.print_exc()
        _fail(
            f"defect in ionsieve ({type(error).__name__}: {error}); "
            "run again with IONSIEVE_DEBUG=1 and report what it prints",
            EXIT_DEFECT,
        )


def _fail(message: str, code: int) -> None:
    one_line = " ".join(message.split())
    if len(one_line) > _LONGEST_LINE:
        one_line = f"{one_line[:_LONGEST_LINE]} …"
    print(f"ionsieve: {one_line}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
