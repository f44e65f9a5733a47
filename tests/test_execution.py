"""What a machine is told by the environment is checked before anything runs."""

import pytest
import torch

from dllr.errors import TrainingError
from dllr.execution import device


@pytest.mark.parametrize("name", ["mps", "gpu", "cuda:first"])
def test_a_device_of_another_kind_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLLR_DEVICE", name)
    with pytest.raises(TrainingError, match="expected cpu, cuda or cuda:1"):
        device()


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLLR_DEVICE", f"cuda:{torch.cuda.device_count()}")
    with pytest.raises(
        TrainingError, match=f"sees {torch.cuda.device_count()} GPUs; leave it unset"
    ):
        device()
