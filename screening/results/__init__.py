"""What a screen writes, and how a finished one is read."""
