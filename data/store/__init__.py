"""The columnar store: ingest once, find duplicates, read row groups."""
