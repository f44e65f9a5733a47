"""torchgeo's own way through the same scene, in torchgeo's own environment; it imports nothing of ours.

`python _torchgeo.py FOLDER SIZE WORKERS` reads every tile of optical & SAR and prints JSON.
"""

import json
import sys
import time

import torch

# torchvision's compiled operators do not load beside a CPU build of torch, and torchgeo's data sets do not
# call them: they are declared, so that torchvision's Python can be imported.
OPERATORS = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchgeo  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchgeo.datasets import RasterDataset, stack_samples  # noqa: E402
from torchgeo.samplers import GridGeoSampler  # noqa: E402


class Optical(RasterDataset):
    filename_glob = "optical.tif"


class Sar(RasterDataset):
    filename_glob = "sar.tif"


def main(folder: str, size: int, workers: int) -> None:
    optical = Optical(folder)
    both = optical & Sar(folder, crs=optical.crs, res=optical.res)
    sampler = GridGeoSampler(both, size=size, stride=size)
    loader = DataLoader(both, sampler=sampler, num_workers=workers, collate_fn=stack_samples)
    start, tiles = time.perf_counter(), 0
    for batch in loader:
        tiles += len(batch["image"])
        shape = list(batch["image"].shape)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - start,
                "tiles": tiles,
                "shape": shape,
                "version": torchgeo.__version__,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
