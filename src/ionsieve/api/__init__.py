"""The Python front door: what ``import ionsieve as ion`` offers, one module per subject."""
