"""ionsieve: screen crystal structures for fast solid-state ion conductors."""

__version__ = "0.1.0"
