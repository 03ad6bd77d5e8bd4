"""What is decided: candidates, ranking, flags, report, follow-up jobs, campaigns."""
