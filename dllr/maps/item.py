"""A map as a STAC item: where it is, what its files hold, and which model made it (extension `mlm`)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pystac
import torch
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.file import FileExtension
from pystac.extensions.mlm import (
    InputStructure,
    MLMExtension,
    ModelBand,
    ModelInput,
    ModelOutput,
    ResultStructure,
    TaskType,
    ValueScaling,
    ValueScalingType,
)
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType
from rasterio.warp import transform_bounds, transform_geom

from dllr.models.checkpoint import Trained
from dllr.models.normalise import Normalisation
from dllr.raster.grid import WGS84, Grid

# STAC asks for a time. Where the files of a scene do not say when they were taken, any time contains it.
EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
CLASSES = "class"  # key of the asset that holds class indices
DIGITS = 7  # of degrees: a centimetre
TASKS = [TaskType.SEMANTIC_SEGMENTATION]


class File(NamedTuple):
    """A file of a map: its media type, title, and roles in the words of STAC."""

    name: str
    type: str
    title: str
    roles: list[str]


class Model(NamedTuple):
    """The checkpoint that made a map: its path relative to the item, and the SHA-256 of its bytes."""

    href: str
    sha256: str


def item(
    name: str,
    grid: Grid,
    files: Mapping[str, File],
    trained: Trained,
    model: Model,
    taken: datetime | None = None,
    head: str = "fused",
) -> dict[str, Any]:
    """The item as JSON values; hrefs are relative to it.

    files: by asset key. taken: when the scene was, None = not known. head: the one that mapped it.
    """
    ring = [(0, 0), (0, grid.height), (grid.width, grid.height), (grid.width, 0), (0, 0)]
    outline = {"type": "Polygon", "coordinates": [[grid.transform @ corner for corner in ring]]}
    found = pystac.Item(
        id=name,
        geometry=transform_geom(grid.crs, WGS84, outline, precision=DIGITS),
        bbox=[round(v, DIGITS) for v in transform_bounds(grid.crs, WGS84, *grid.bounds())],
        datetime=taken,
        start_datetime=None if taken else EVER[0],
        end_datetime=None if taken else EVER[1],
        properties={},
    )
    ProjectionExtension.ext(found, add_if_missing=True).apply(
        code=":".join(grid.crs.to_authority() or ()) or None,
        wkt2=None if grid.crs.to_authority() else grid.crs.to_wkt(),
        shape=[grid.height, grid.width],
        transform=list(grid.transform)[:6],
    )
    for key, file in files.items():
        found.add_asset(key, pystac.Asset(file.name, file.title, None, file.type, file.roles))
    if CLASSES in files:
        ClassificationExtension.ext(found.assets[CLASSES], add_if_missing=True).apply(
            _classes(trained)
        )
    _describe(found, trained, model, head)
    found.set_self_href(None)
    value: dict[str, Any] = found.to_dict(include_self_link=False)
    return value


def _describe(found: pystac.Item, trained: Trained, model: Model, head: str) -> None:
    settings = trained.teacher.settings
    MLMExtension.ext(found, add_if_missing=True).apply(
        name="dllr",
        architecture=f"two {settings['encoder']} encoders, fusion by {settings['fusion']}, three heads",
        tasks=TASKS,
        framework="PyTorch",
        framework_version=torch.__version__.partition("+")[0],
        total_parameters=sum(p.numel() for p in trained.teacher.parameters()),
        input=[
            _input(
                "optical",
                "values × scale + offset of the scenes, as a rule reflectance",
                trained.optical_bands,
                trained.size,
                trained.optical,
            ),
            _input(
                "sar",
                "dB" if trained.decibels else "digital numbers",
                trained.sar_bands,
                trained.size,
                trained.sar,
            ),
        ],
        output=[
            ModelOutput.create(
                name="classes",
                tasks=TASKS,
                result=ResultStructure.create(
                    [-1, len(trained.classes), trained.size, trained.size],
                    ["batch", "class", "height", "width"],
                    DataType.FLOAT32,
                ),
                description=f"logits of the {head} head; divided by {trained.temperatures[head]:.6g} "
                "their softmax is calibrated",
                classes=_classes(trained),
            )
        ],
    )
    asset = pystac.Asset(
        model.href, "trained network", None, "application/octet-stream", ["mlm:model"]
    )
    asset.extra_fields["mlm:artifact_type"] = "torch.save"
    asset.extra_fields["bands"] = [{"name": band} for band in _bands(trained)]
    found.add_asset("model", asset)
    # A multihash: 12 = SHA-256, 20 = of 32 bytes.
    FileExtension.ext(asset, add_if_missing=True).apply(checksum=f"1220{model.sha256}")


def _input(name: str, unit: str, bands: list[str], size: int, scale: Normalisation) -> ModelInput:
    # Clipped first: no scaling that the extension has a word for does both.
    numbers = (t.tolist() for t in (scale.low, scale.high, scale.mean, scale.deviation))
    scaling = [
        ValueScaling.create(
            ValueScalingType.PROCESSING,
            format="gdal-calc",
            expression=f"(clip(A,{low!r},{high!r})-{mean!r})/{deviation!r}",
        )
        for low, high, mean, deviation in zip(*numbers, strict=True)
    ]
    found = ModelInput.create(
        name=name,
        description=f"{unit}, 0 where missing; the network is also told where that is",
        bands=[ModelBand.create(f"{name}:{band}") for band in bands],
        input=InputStructure.create(
            [-1, len(bands), size, size],
            ["batch", "channel", "height", "width"],
            DataType.FLOAT32,
        ),
    )
    found.properties["value_scaling"] = [each.to_dict() for each in scaling]
    return found


def _bands(trained: Trained) -> list[str]:
    return [
        *(f"optical:{band}" for band in trained.optical_bands),
        *(f"sar:{band}" for band in trained.sar_bands),
    ]


def _classes(trained: Trained) -> list[Classification]:
    return [
        Classification.create(
            value=value, name=_slug(name), description=name, color_hint=colour[1:]
        )
        for value, (name, colour) in enumerate(zip(trained.classes, trained.colours, strict=True))
    ]


def _slug(name: str) -> str:
    """The classification extension allows letters, digits, - and _ in a name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)
