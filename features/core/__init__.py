"""What every descriptor shares: columns, roles, neighbours, the prepared structure."""
