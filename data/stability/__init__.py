"""Energies above the hull and windows against lithium metal, from computed entries."""
