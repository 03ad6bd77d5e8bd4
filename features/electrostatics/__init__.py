"""Ewald site energies and the valence rule of stability against lithium metal."""
