"""Entry of the detached processes that `dllr.tracking.live` starts; nobody else calls it."""

import sys

from dllr.tracking.live import observe

observe(*sys.argv[1:])
