"""The exception tree: one shallow family, one clear line each.

Every message names the file, site or column and says what to do about it. The command line
turns an :class:`IonsieveError` into that one line on standard error and exit code 1.
"""

from typing import Final

LONGEST_MESSAGE: Final[int] = 1500
"""Characters; an error may quote its input, which may be anything."""


class IonsieveError(Exception):
    """Base of everything ionsieve raises on purpose; a very long message is cut."""

    def __str__(self) -> str:
        text = super().__str__()
        return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} …"


class InputError(IonsieveError):
    """A file, table or option given by the user cannot be used as it is."""


class StructureError(InputError):
    """A crystal structure is broken: lattice, sites, species or occupancies."""


class RoleError(IonsieveError):
    """Mobile species, framework cations and anions cannot be told apart."""


class FeatureError(IonsieveError):
    """A descriptor cannot be computed for a reason that is not just "not defined here"."""


class LabelError(InputError):
    """A label or a label table violates the schema; the message names row and column."""


class TrajectoryError(InputError):
    """A trajectory cannot be read or analysed; the message names file and frame."""


class TornFrameError(TrajectoryError):
    """The last frame of a file is cut off, as a kill leaves it; those before it are whole."""


class ModelError(IonsieveError):
    """A model cannot be fitted, saved, loaded or applied."""


class MissingDependencyError(IonsieveError):
    """An optional package is needed; the message gives the install command."""
