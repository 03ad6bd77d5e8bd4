"""Where structures come from: files, folders, zips, OPTIMADE providers, the Materials Project."""
