"""The command line: one verb a module, one error boundary."""
