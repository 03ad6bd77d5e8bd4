"""The space that mobile ions may occupy: host, reduction, grid, percolation."""
