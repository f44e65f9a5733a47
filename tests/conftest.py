"""Nothing here or below posts to MLflow unless it asks to; no test is judged by the clock."""

import os

from hypothesis import settings

os.environ.setdefault("DLLR_TRACK", "0")
settings.register_profile("dllr", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("dllr")
