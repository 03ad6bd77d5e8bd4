"""Pages and drawings: report, plots, structures in 2-D and 3-D."""
