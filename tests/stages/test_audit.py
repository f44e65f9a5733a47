"""`dllr audit` on small real files: what is bad or doubtful in them is found, all at once, and nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from dllr.cli import main
from dllr.ingest.audit.examine import examine
from dllr.ingest.audit.finding import Finding
from dllr.params.load import load, read_yaml

from .small_scenes import SIDE, project, save, scene, truncate, unlabel, write

__all__ = ["project"]  # a fixture
Edit = Callable[[Path, Any], Any]
RNG = np.random.default_rng(3)
CODES = [10, 20, 30, 40, 50, 60, 70, 0]


@pytest.fixture
def good(project: Path) -> Path:
    """Scenes whose audit finds nothing."""
    for name in "abcd":
        label = RNG.choice(CODES, (1, SIDE, SIDE)).astype(np.uint8)
        write(scene(project, "label.tif", name), label)
    return project


def optical(project: Path, change: Callable[[Any], Any], name: str = "b", **more: Any) -> None:
    """Write the scene's optical image anew."""
    path = scene(project, "optical.tif", name)
    with rasterio.open(path) as source:
        values = source.read()
    write(path, change(values), **more)


def sar(project: Path, change: Callable[[Any], Any], names: str = "b", **more: Any) -> None:
    for name in names:
        path = scene(project, "sar.tif", name)
        with rasterio.open(path) as source:
            values = source.read()
        write(path, np.asarray(change(values)), **more)


def corner(value: float, share: float = 0.3, bands: slice = slice(None)) -> Callable[[Any], Any]:
    """Set the upper rows to a value."""

    def change(values: Any) -> Any:
        values[bands, : int(share * SIDE)] = value
        return values

    return change


def place(path: Path, transform: Affine) -> None:
    with rasterio.open(path, "r+") as target:
        target.transform = transform


def cloud(project: Path, values: Any) -> None:
    """Mask files beside the optical images; almost all of b is cloud."""
    values["scenes"]["optical"]["mask"] = {
        "pattern": "{scene}/cloud.tif", "band": 1, "bad": [1], "above": None,
    }  # fmt: skip
    for name in "abcd":
        mask = np.zeros((1, SIDE, SIDE), np.uint8)
        mask[:, : 125 if name == "b" else 9] = 1
        write(scene(project, "cloud.tif", name), mask)


def listed(project: Path, values: Any) -> None:
    rows = "a,train\nb,dev\nc,test\n"
    (project / "list.csv").write_text("scene,split\n" + rows)
    values["scenes"]["list"] = "list.csv"


def unit(value: str) -> Edit:
    return lambda _, v: v["scenes"]["sar"].update(unit=value)


# Kind of input → what is done to the good set, and (level, scene, check, words) of all that must be found.
CASES: dict[str, tuple[Edit, list[tuple[str, str, str, str]]]] = {
    "nothing": (lambda *_: None, []),
    "one SAR image in dB": (
        lambda p, _: sar(p, lambda v: 20 * np.log10(v) - 9),
        [("error", "b", "SAR unit", "looks like dB, not amplitude")],
    ),
    "amplitude called dB": (
        lambda p, v: (sar(p, lambda a: (a * 400).astype(np.uint16), "abcd"), unit("db")(p, v)),
        [("error", n, "SAR unit", "looks like amplitude or dn, not db") for n in "abcd"],
    ),
    "whole numbers called power": (
        lambda p, v: (sar(p, lambda a: (a * 4000).astype(np.uint16), "abcd"), unit("power")(p, v)),
        [("warning", n, "SAR unit", "looks like amplitude, not power") for n in "abcd"],
    ),
    "-9999 in SAR": (
        lambda p, _: sar(p, corner(-9999)),
        [("warning", "b", "undeclared nodata", "hold -9999 in all bands; if that means 'no data', set scenes.sar.nodata")],
    ),
    "1e20 in SAR": (
        lambda p, _: sar(p, corner(1e20)),
        [("warning", "b", "undeclared nodata", "1e+20")],
    ),
    "zeros around the optical image": (
        lambda p, _: optical(p, corner(0)),
        [("warning", "b", "undeclared nodata", "29.7 % of the valid pixels hold 0")],
    ),
    "65535 in the optical image": (
        lambda p, _: optical(p, corner(65535)),
        [("warning", "b", "undeclared nodata", "hold 65535")],
    ),
    "zeros that are declared": (
        lambda p, v: (optical(p, corner(0)), v["scenes"]["optical"].update(nodata=0.0)),
        [],
    ),
    "zeros in one band": (lambda p, _: optical(p, corner(0, 0.3, slice(0, 1))), []),
    "nodata of the file and of the settings": (
        lambda p, v: (nodata_tag(scene(p, "optical.tif"), 7), v["scenes"]["optical"].update(nodata=0.0)),
        [("note", "b", "nodata value", "declares nodata 7, but scenes.optical.nodata is 0")],
    ),
    "nearly nothing but nodata": (
        lambda p, v: (optical(p, corner(0, 0.95)), v["scenes"]["optical"].update(nodata=0.0)),
        [("warning", "b", "nodata", "94.5 % of data/demo/b/optical.tif is nodata")],
    ),
    "nearly all cloud": (
        lambda p, v: cloud(p, v),
        [("warning", "b", "mask", "the mask takes away 97.7 %")],
    ),
    "a mask without a CRS": (
        lambda p, v: (cloud(p, v), write(scene(p, "cloud.tif", "a"), np.zeros((1, SIDE, SIDE), np.uint8), None)),
        [("error", "a", "file", "a/cloud.tif has no CRS"), ("warning", "b", "mask", "takes away")],
    ),
    "a stretched image": (
        lambda p, _: optical(p, lambda v: np.clip(v, 0, 8500)),
        [("warning", "b", "saturated", "blue 5.")],
    ),
    "a band of one value": (
        lambda p, _: optical(p, corner(77, 1, slice(2, 3))),
        [("warning", "b", "constant band", "band red holds the value 77 only")],
    ),
    "SAR of zeros": (
        lambda p, _: sar(p, np.zeros_like),
        [("warning", "b", "undeclared nodata", "100.0 %"), ("warning", "b", "constant band", "the value 0 only")],
    ),
    "a band twice": (
        lambda p, _: optical(p, lambda v: v[[0, 1, 2, 2]]),
        [("warning", "b", "identical bands", "nir, red hold the same values")],
    ),
    "a band without data": (
        lambda p, _: (
            [optical(p, lambda v: np.where(np.arange(4)[:, None, None] == 3, np.nan, v).astype(np.float32))],
        ),
        [
            ("warning", "b", "nodata", "100.0 %"),
            ("warning", "b", "empty band", "band nir holds only nodata"),
            ("note", "", "types", "float32 (such as b)"),
        ],
    ),
    "reflectance with the scale of whole numbers": (
        lambda p, _: [optical(p, lambda v: (v / 1e4).astype(np.float32), n) for n in "abcd"],
        [("warning", n, "reflectance", "below") for n in "abcd"],
    ),
    "a scale ten times too large": (
        lambda _, v: v["scenes"]["optical"].update(scale=0.001),
        [("warning", n, "reflectance", "above") for n in "abcd"],
    ),
    "label half a pixel off": (
        lambda p, _: place(scene(p, "label.tif"), Affine(5, 0, 501_002.5, 0, -5, 3_300_000)),
        [("warning", "b", "label grid", "0.5, 0 px off")],
    ),
    "coarse labels": (
        lambda p, _: place(scene(p, "label.tif"), Affine(30, 0, 501_000, 0, -30, 3_300_000)),
        [("warning", "b", "resolution", "6.0 optical pixels"), ("warning", "b", "label grid", "pixels of")],
    ),
    "SAR over a third of the scene": (
        lambda p, _: place(scene(p, "sar.tif"), Affine(5, 0, 501_000, 0, -5, 3_300_000 + 2 * 5 * SIDE / 3)),
        [("warning", "b", "coverage", "covers 33.3 % of the optical scene")],
    ),
    "metres for degrees": (
        lambda p, _: place(scene(p, "sar.tif"), Affine(500, 0, 490_000, 0, -500, 3_310_000)),
        [("error", "b", "resolution", "cannot be right"), ("warning", "", "pixel sizes", "5 m (a) to 500 m (b)")],
    ),
    "a scene of another pixel size": (
        lambda p, _: [place(scene(p, f), Affine(8, 0, 501_000, 0, -8, 3_300_000)) for f in ("optical.tif", "sar.tif", "label.tif")],
        [("warning", "", "pixel sizes", "the optical images"), ("warning", "", "pixel sizes", "the sar images")],
    ),
    "a scene of another type": (
        lambda p, _: optical(p, lambda v: v.astype(np.int16)),
        [("note", "", "types", "uint16 (such as a), int16 (such as b)")],
    ),
    "a scene twice": (
        lambda p, _: shutil.copytree(p / "data/demo/a", p / "data/demo/e"),
        [("warning", "", "duplicate", "scenes a and e hold the same optical and SAR pixels")],
    ),
    "nothing known": (
        lambda p, _: write(scene(p, "label.tif"), np.zeros((1, SIDE, SIDE), np.uint8)),
        [("warning", "b", "label share", "no pixel of a known class")],
    ),
    "a class in one scene, and one in none": (
        lambda p, _: [write(scene(p, "label.tif", n), RNG.choice([10, 20, 30, 40, 50], (1, SIDE, SIDE)).astype(np.uint8)) for n in "abc"]
        + [write(scene(p, "label.tif", "d"), RNG.choice([10, 60], (1, SIDE, SIDE)).astype(np.uint8))],
        [("warning", "", "class in one place", "only scene d holds the class road"), ("warning", "", "class absent", "others")],
    ),
    "a split that is no word": (
        listed,
        [
            ("error", "", "split", "puts scene b into the split 'dev'"),
            ("warning", "", "files", "1 scene(s) (d)"),
        ],
    ),
    "several troubles at once": (
        lambda p, _: (
            truncate(p, None),
            scene(p, "optical.tif", "c").write_text("hello"),
            write(scene(p, "label.tif", "d"), np.full((1, SIDE, SIDE), 33, np.uint8)),
            write(scene(p, "sar.tif", "d"), np.ones((1, SIDE, SIDE), np.complex64)),
        ),
        [
            ("error", "b", "file", "truncated"),
            ("error", "c", "file", "cannot be opened"),
            ("error", "d", "file", "complex"),
            ("error", "d", "label codes", "33 (16384 px)"),
        ],
    ),
    "no label anywhere, and a bad file": (
        lambda p, _: (unlabel(p, "abcd"), truncate(p, None)),
        [("error", "b", "file", "truncated"), ("error", "", "labels", "none of the 4 scenes")],
    ),
}  # fmt: skip


def nodata_tag(path: Path, value: float) -> None:
    with rasterio.open(path, "r+") as target:
        target.nodata = value


def matches(finding: Finding, wanted: tuple[str, str, str, str]) -> bool:
    return tuple(finding[:3]) == wanted[:3] and wanted[3] in finding.message


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_is_what_is_there(
    case: str, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, wanted = CASES[case]
    params = read_yaml(Path("params.yaml"))
    edit(good, params)
    save(params)
    findings = examine(load().scenes).findings
    assert len(findings) == len(wanted), [
        f for f in findings if not any(matches(f, w) for w in wanted)
    ]
    for one in wanted:
        assert any(matches(finding, one) for finding in findings), (one, findings)
    bad = any(level == "error" for level, *_ in wanted)
    capsys.readouterr()
    assert main(["audit"]) == int(bad)
    printed = capsys.readouterr().out
    assert all(words in printed for level, _, _, words in wanted if level == "error")
    assert not Path("results").exists()
    assert main(["scenes", "--out", "results/scenes"]) == int(bad)
    if not bad:
        written = pd.read_csv("results/scenes/audit.csv", keep_default_na=False)
        assert [Finding(*row) for row in written.itertuples(index=False)] == findings
    else:
        said = capsys.readouterr().err
        assert all(words in said for level, _, _, words in wanted if level == "error")
        assert not Path("results/scenes").exists()


def test_the_table_has_a_row_a_scene(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place(scene(good, "sar.tif", "a"), Affine(5, 0, 500_002.5, 0, -5, 3_300_001))
    place(scene(good, "sar.tif", "c"), Affine(10, 0, 502_000, 0, -10, 3_300_000))
    scene(good, "label.tif", "d").unlink()
    truncate(good, None)
    assert main(["audit"]) == 1
    head, *rows = capsys.readouterr().out.splitlines()[:5]
    assert head.split()[:3] == ["scene", "size", "px"] and "split" not in head
    cells = [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows]
    assert cells[0][:6] == ["a", "128 × 128", "EPSG:32650", "5", "1", "0.5, -0.2"]
    assert set(cells[1][1:]) == {"?"}
    assert cells[2][4:8] == ["2", "other grid", "0.0 % / 0.0 %", "0.0 % / 0.0 %"]
    assert cells[3][-1] == "no label"


@pytest.mark.usefixtures("good")
def test_a_message_of_many_errors_says_how_many_more(capsys: pytest.CaptureFixture[str]) -> None:
    for name in "efghijklm":
        shutil.copytree("data/demo/a", f"data/demo/{name}")
        Path(f"data/demo/{name}/sar.tif").write_text("hello")
    for name in "abc":
        Path(f"data/demo/{name}/sar.tif").write_text("hello")
    assert main(["scenes", "--out", "results/scenes"]) == 1
    said = capsys.readouterr().err
    assert said.count("cannot be opened") == 10
    assert "12 errors in the scenes" in said and "and 2 more; `dllr audit` prints them all" in said
    assert main(["audit"]) == 1
    assert capsys.readouterr().out.count("cannot be opened") == 12


def test_the_index_says_what_later_stages_ask(good: Path) -> None:
    params = read_yaml(Path("params.yaml"))
    cloud(good, params)
    shutil.copytree(good / "data/demo/a", good / "data/demo/e")
    (good / "list.csv").write_text("scene,split,group\na,train,n\nb,test,\nc,,n\nd,,\ne,train,n\n")
    params["scenes"]["list"] = "list.csv"
    save(params)
    assert main(["scenes", "--out", "results/scenes"]) == 0
    index = pd.read_csv("results/scenes/index.csv", keep_default_na=False).set_index("scene")
    assert index["same_as"].to_dict() == {"a": "", "b": "", "c": "", "d": "", "e": "a"}
    assert index["split"].tolist() == ["train", "test", "", "", "train"]
    assert index["group"].tolist() == ["n", "", "n", "", "n"]
    assert index["pixel_size"].tolist() == pytest.approx([5] * 5, rel=1e-3)
    assert index["sar_ratio"].tolist() == [1] * 5
    assert index.loc["b", "optical_masked"] == pytest.approx(125 / 128, abs=1e-6)
    record = json.loads(Path("results/scenes/records/a.json").read_text())
    # What a list says of a scene must not make its pixels look changed.
    assert not {"split", "group"} & set(record)
