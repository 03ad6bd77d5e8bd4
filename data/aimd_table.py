"""The embedded AIMD table."""
