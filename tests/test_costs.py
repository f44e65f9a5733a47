"""What stages cost is written down where it can be found."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dllr.costs import FOLDER, key_of, known, measured, of

MIB = 2**20


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)


def test_time_passed_is_more_than_time_used_where_nothing_is_done() -> None:
    with measured("scenes", "told"):
        time.sleep(0.2)
    cost = known()["scenes"]
    assert 0.2 <= cost.seconds < 5
    assert cost.cpu_seconds < cost.seconds


def test_a_process_that_the_stage_starts_counts() -> None:
    work = "import time\nwhile time.process_time() < 0.5: pass\nb = b'x' * (300 << 20)"
    with measured("warmup", "told"):
        subprocess.run([sys.executable, "-c", work], check=True)
    cost = known()["warmup"]
    assert cost.cpu_seconds >= 0.5
    assert cost.peak_bytes >= 300 * MIB


def test_memory_is_that_of_the_process() -> None:
    size = 400 * MIB
    with measured("warmup", "told"):
        np.ones(size, np.uint8)
    found = known()["warmup"].peak_bytes
    assert size <= found < size + 8000 * MIB


def test_a_stage_that_fails_has_no_cost() -> None:
    with pytest.raises(ValueError, match="no"), measured("scenes", "told"):
        raise ValueError("no")
    assert known() == {}


def test_of_several_processes_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with measured("warmup", "told"):
        pass
    assert not FOLDER.exists()


def test_what_went_on_where_it_was_stopped_is_not_known() -> None:
    with measured("warmup", "told"):
        pass
    assert known()["warmup"].key == "told"
    with pytest.raises(KeyboardInterrupt), measured("warmup", "told"):
        raise KeyboardInterrupt
    assert known() == {}
    with measured("warmup", "told"):
        pass
    assert known() == {}
    with measured("warmup", "told"):
        pass
    assert list(known()) == ["warmup"]
    assert known(Path("elsewhere")) == {}


def test_what_ran_with_other_values_is_not_counted() -> None:
    told = {"warmup": {"steps": 2}, "split": {"seed": 0}}
    for stage in ("warmup", "train_round@1"):
        with measured(stage, key_of(told, ["warmup"])):
            pass
    reads = {"warmup": ["warmup"]}
    assert of(Path(), told, reads).keys() == {"warmup"}
    assert of(Path(), told | {"split": {"seed": 1}}, reads).keys() == {"warmup"}
    assert of(Path(), told | {"warmup": {"steps": 3}}, reads) == {}
