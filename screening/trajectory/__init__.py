"""Summaries of a trajectory for people: frustration, sites, density."""
