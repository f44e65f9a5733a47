"""A run with scenes of every split, and its page, made once for all tests that only read them."""

import pytest
from small_run import SPLITS, SmallRun, make


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return make(tmp_path_factory.mktemp("results"), splits=SPLITS, unlabelled=["hill", "forest"])


@pytest.fixture(scope="session")
def page(small: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> str:
    return small.build(tmp_path_factory.mktemp("out") / "report")
