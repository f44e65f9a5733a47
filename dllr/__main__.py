"""`python -m dllr`, for where the command itself is not on the path."""

import sys

from dllr.cli import main

sys.exit(main())
