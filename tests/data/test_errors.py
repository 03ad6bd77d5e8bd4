"""Messages may quote their input, which may be anything."""

import copy

import pytest

from ionsieve.data import errors
from ionsieve.data.errors import LONGEST_MESSAGE, InputError, IonsieveError


@pytest.mark.parametrize("length", [0, 10, LONGEST_MESSAGE, LONGEST_MESSAGE + 1, 10**6])
def test_messages_are_bounded_and_short_ones_whole(length: int) -> None:
    error = InputError("x" * length)
    assert len(str(error)) <= LONGEST_MESSAGE + 2
    assert (str(error) == "x" * length) == (length <= LONGEST_MESSAGE)
    assert str(copy.copy(error)) == str(error)


def test_every_error_of_ours_is_of_the_family() -> None:
    own = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(own) >= 9
    assert all(issubclass(error, IonsieveError) for error in own)
