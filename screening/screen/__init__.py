"""The screen: candidates, filters, ranking, flags."""
