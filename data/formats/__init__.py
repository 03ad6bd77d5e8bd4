"""One file format each, and what a reader gives and needs."""
