"""What is computed: one structure (or trajectory) → numbers. No files, no network, no models."""
