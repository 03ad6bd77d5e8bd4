"""The old address of the job runner: scripts that wait in a queue still call it."""

import sys

from .engines.md_job import main

if __name__ == "__main__":
    sys.exit(main())
