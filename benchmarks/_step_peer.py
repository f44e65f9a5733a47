"""A loop as public code for semi-supervised segmentation writes it, for `benchmarks.step`.

Windows are augmented one by one, with PIL and numpy, in the processes of a DataLoader; teachers, losses and
the network are ours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dllr.models.checkpoint import Trained
from dllr.models.normalise import Normalisation
from dllr.raster.arrays import SceneArrays
from dllr.training.loop import Schedule

METHODS = ("supervised", "fixmatch")
PROCESSES, ENDLESS = 1, 10**9  # a loader's processes: the other core is the network's


class OneByOne(Dataset[dict[str, Tensor]]):
    """A weak and a strong view of a window, each made on its own."""

    def __init__(self, trained: Trained, scene: SceneArrays, label: np.ndarray[Any, Any]) -> None:
        self.norms = trained.optical, trained.sar
        self.scene, self.label, self.size = scene, label, trained.size

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(index)
        y, x = rng.integers(0, self.label.shape[0] - self.size, 2)
        box = slice(y, y + self.size), slice(x, x + self.size)
        optical, sar = self.scene.optical[:, *box], self.scene.sar[:, *box]
        turn, flip = rng.integers(4), rng.integers(2)
        arrays = [np.rot90(a, turn, (-2, -1)) for a in (optical, sar, self.label[box])]
        optical, sar, label = (np.flip(a, -1) if flip else a for a in arrays)
        found = {"label": torch.from_numpy(label.copy()).long()}
        for name in ("weak", "strong"):
            seen = [np.array(b) for b in (optical, sar)]
            if name == "strong":
                seen = self._strong(*seen, rng)
            for kind, norm, bands in zip(("optical", "sar"), self.norms, seen, strict=True):
                found[f"{name}_{kind}"] = _normal(norm, bands)
        return found

    def _strong(self, optical: Any, sar: Any, rng: np.random.Generator) -> list[Any]:
        jitter = rng.normal(1, 0.2, (len(optical), 1, 1)), rng.normal(0, 0.05, (len(optical), 1, 1))
        optical = optical * jitter[0] + jitter[1]
        if rng.random() < 0.5:
            blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5))
            optical = np.stack([_blurred(band, blur) for band in optical])
        return [optical, sar + 10 * np.log10(rng.gamma(8, 1 / 8, sar.shape))]


def _blurred(band: Any, blur: ImageFilter.GaussianBlur) -> Any:
    image = Image.fromarray((band * 255).clip(0, 255).astype(np.uint8))
    return np.asarray(image.filter(blur), np.float32) / 255


def _normal(norm: Normalisation, bands: Any) -> Tensor:
    return norm(torch.from_numpy(np.ascontiguousarray(bands, np.float32))[None])[0]


def steps(
    name: str, trained: Trained, scene: SceneArrays, labels: list[np.ndarray[Any, Any]],
    schedule: Schedule, where: torch.device,
) -> Callable[[], None]:  # fmt: skip
    student = trained.student.to(where).train()
    teacher = trained.teacher.to(where)
    optimiser = torch.optim.AdamW(student.parameters())
    windows = OneByOne(trained, scene, labels[0])
    feeds = [
        iter(DataLoader(windows, schedule.batch, num_workers=PROCESSES))
        for _ in range(1 if name == "supervised" else 2)
    ]

    def step() -> None:
        batches = [{k: v.to(where) for k, v in next(feed).items()} for feed in feeds]
        valid = torch.ones_like(batches[0]["label"], dtype=torch.bool)[:, None].repeat(1, 2, 1, 1)
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            strong = [(b["strong_optical"], b["strong_sar"], valid) for b in batches]
            both = [torch.cat(parts) for parts in zip(*strong, strict=True)]
            logits = {h: z.float() for h, z in student(*both).items()}
            count = len(batches[0]["label"])
            loss = sum(
                functional.cross_entropy(z[:count], batches[0]["label"]) for z in logits.values()
            )
            if name == "fixmatch":
                with torch.no_grad():
                    seen = teacher(batches[1]["weak_optical"], batches[1]["weak_sar"], valid)
                sure, label = seen["fused"].float().softmax(1).max(1)
                parts = [
                    functional.cross_entropy(z[count:], label, reduction="none")
                    for z in logits.values()
                ]
                loss = loss + sum((p * (sure > 0.95)).mean() for p in parts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.mul_(0.99).add_(fast, alpha=0.01)
        loss.item()

    return step
