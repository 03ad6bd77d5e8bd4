"""Bond-valence site energy: landscape, barriers of percolation, columns."""
