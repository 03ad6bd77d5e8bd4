"""Descriptors of a trajectory: jumps, cages, sites, density, rotation."""
