"""Isolated anions (Yang 2025): definition, periodic net, site symmetry, columns."""
