"""Partial occupancies: what is accepted, and the ordered cells that stand for it."""
