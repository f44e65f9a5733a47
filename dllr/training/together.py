"""Several processes that train one network: sums over all of them, and what each does of the whole.

Losses are sums over a process's own pixels, divided by counts over all processes; gradients are added.
So two processes with half of a batch each do what one does with the whole batch.
"""

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed


def start(device: torch.device) -> None:
    """Join the processes that torchrun started; nothing where there is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")


def count() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def number() -> int:
    """Of this process; 0 is the one that writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def total(value: Tensor) -> Tensor:
    """The sum over all processes; a gradient reaches this process's own share alone."""
    if count() == 1:
        return value
    whole = value.detach().clone()
    distributed.all_reduce(whole)
    if not value.requires_grad:
        return whole  # to the bit the same in all processes
    return value + (whole - value.detach())


def once(value: Tensor) -> Tensor:
    """A value that all processes have, such that their sum is the value; gradients as they are."""
    return value if count() == 1 else value - value.detach() * (1 - 1 / count())


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Each gradient becomes its sum over all processes, in one exchange."""
    if count() == 1:
        return
    # A process whose share reaches a weight with nothing takes part in the exchange all the same.
    held = [p for p in parameters if p.requires_grad]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
    whole = torch.cat([part.reshape(-1) for part in parts])
    distributed.all_reduce(whole)
    for weight, part in zip(held, whole.split([p.numel() for p in held]), strict=True):
        # Laid out as the weight is: the fused optimiser goes over both memories in step.
        weight.grad = torch.empty_like(weight).copy_(part.view_as(weight))
