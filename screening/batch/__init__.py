"""Descriptors of many structures: workers, shards that resume, the description of a run."""
