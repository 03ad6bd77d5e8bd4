"""The tables that ship with ionsieve, each checked against its hash."""
