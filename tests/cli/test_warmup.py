"""``ionsieve warmup``."""

from typer.testing import CliRunner

from ionsieve.cli.main import app


def test_it_says_when_kernels_are_ready() -> None:
    done = CliRunner().invoke(app, ["warmup", "--families", "density, composition"])
    assert done.exit_code == 0
    assert done.output.startswith("kernels are ready (")


def test_an_unknown_family_is_an_error() -> None:
    done = CliRunner().invoke(app, ["warmup", "--families", "astrology"])
    assert done.exit_code == 1
    assert "no feature family 'astrology'" in str(done.exception)
