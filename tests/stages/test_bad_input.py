"""Bad input ends in `scenes` or `split` at the latest, with a message that says what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dllr.params.load import read_yaml

from .small_scenes import (
    LOCAL,
    SIDE,
    Edit,
    front,
    listed,
    mask,
    numbers,
    project,
    save,
    scene,
    tagged,
    truncate,
    unlabel,
    write,
)  # fmt: skip

__all__ = ["project"]


CASES: dict[str, tuple[Edit, list[str]]] = {
    "mistyped parameter": (
        lambda _, v: v["split"].update(labeled_tiles=3),
        ["split.labeled_tiles: unknown key; did you mean `labelled_tiles`?"],
    ),
    "missing root": (
        lambda _, v: v["scenes"].update(root="data/nowhere"),
        ["data/nowhere does not exist", "set scenes.root"],
    ),
    "empty root": (
        lambda p, v: ((p / "data/empty").mkdir(), v["scenes"].update(root="data/empty")),
        ["no file under data/empty matches", "scenes.optical.pattern"],
    ),
    "SAR without optical": (
        lambda p, _: scene(p, "optical.tif").unlink(),
        ["1 scene(s) (b)", "with SAR but no optical", "add the files", "scenes.incomplete"],
    ),
    "optical without SAR": (
        lambda p, _: scene(p, "sar.tif").unlink(),
        ["1 scene(s) (b)", "with optical but no SAR"],
    ),
    "label code outside the map": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 33, np.uint8)),
        ["b/label.tif", "33 (16384 px)", "scenes.label.ignore"],
    ),
    "no labelled scene": (
        lambda p, _: unlabel(p, "abcd"),
        ["none of the 4 scenes", "has a label file", "at least one"],
    ),
    "only ignored labels": (
        lambda p, _: [write(scene(p, "label.tif", n), np.zeros((1, SIDE, SIDE), np.uint8)) for n in "abcd"],
        ["every label pixel has an ignored code"],
    ),
    "truncated GeoTIFF": (truncate, ["b/sar.tif", "truncated"]),
    "not a raster": (
        lambda p, _: scene(p, "optical.tif").write_text("hello"),
        ["b/optical.tif cannot be opened as a raster"],
    ),
    "no overlap": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.float32), "EPSG:32633"),
        ["scene b", "EPSG:32633", "EPSG:32650", "do not overlap"],
    ),
    "label elsewhere": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 10, np.uint8), east=700_000),
        ["scene b: label", "do not overlap"],
    ),
    "band that is not there": (
        lambda _, v: v["scenes"]["optical"]["bands"].update(swir=5),
        ["has 4 band(s), but band 5 is asked for"],
    ),
    "too few labelled scenes": (
        lambda p, _: unlabel(p, "ab"),
        ["2 labelled scene(s) that share no ground", "at least 3", "split.by to block"],
    ),
    "one scene twice": (
        lambda p, _: (
            [shutil.copytree(p / "data/demo/a", p / "data/demo" / n, dirs_exist_ok=True) for n in "bcd"],
        ),
        ["1 labelled scene(s) that share no ground", "at least 3"],
    ),
    "blocks of scenes that overlap": (
        lambda p, v: (
            shutil.copytree(p / "data/demo/a", p / "data/demo/a2"),
            v["split"].update(by="block", block=64, buffer=0),
        ),
        ["scenes a, a2 overlap on the ground", "set split.by to scene"],
    ),
    "labels where nothing was seen": (
        lambda p, v: (
            [write(scene(p, "optical.tif", n), np.zeros((4, SIDE, SIDE), np.uint16)) for n in "ab"],
            [write(scene(p, "sar.tif", n), np.zeros((1, SIDE, SIDE), np.float32)) for n in "ab"],
            v["scenes"]["optical"].update(nodata=0.0),
        ),
        ["2 labelled scene(s)", "at least 3"],
    ),
    "no place on the ground": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.float32), LOCAL),
        ["b/sar.tif has a CRS or position that cannot be related to the ground"],
    ),
    "windows larger than what is valid": (
        lambda _, v: v["tile"].update(size=1024, stride=1024, min_valid=0.5),
        ["no window of 1024 px", "check the nodata settings"],
    ),
    "an infinite number": (
        lambda _, v: v["scenes"]["optical"].update(offset=float("inf")),
        ["scenes.optical.offset", "finite number"],
    ),
    "complex SAR": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.complex64)),
        ["b/sar.tif holds complex values"],
    ),
    "label that is no label": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 1.5, np.float32)),
        ["b/label.tif is no label file: it holds 1.5"],
    ),
    "no window worth a label": (
        lambda _, v: v["split"].update(min_labelled=0.999),
        ["no window of 64 px in the training split", "lower split.min_labelled"],
    ),
    "more labelled tiles than exist": (
        lambda _, v: v["split"].update(labelled_tiles=999),
        ["asks for 999 labelled tiles", "holds 8", "at most 8"],
    ),
    "numbers that float32 rounds": (
        lambda p, _: write(scene(p, "optical.tif"), np.full((4, SIDE, SIDE), 2**25 + 1, np.uint32)),
        ["b/optical.tif holds 33554433 as uint32", "beyond 16777216"],
    ),
    "a label that is a broken link": (
        lambda p, _: (scene(p, "label.tif").unlink(), scene(p, "label.tif").symlink_to("gone.tif")),
        ["b/label.tif is a link to gone.tif, which does not exist"],
    ),
    "an image that is a broken link": (
        lambda p, _: (scene(p, "sar.tif").unlink(), scene(p, "sar.tif").symlink_to("gone.tif")),
        ["b/sar.tif is a link to gone.tif"],
    ),
    "scale in the tags and another in the settings": (
        lambda p, _: tagged(scene(p, "optical.tif"), 0.002, -0.1),
        ["b/optical.tif declares scale 0.002 and offset -0.1", "set scenes.optical to these"],
    ),
    "SAR with a scale in the tags": (
        lambda p, _: tagged(scene(p, "sar.tif"), 0.5, 0.0),
        ["b/sar.tif declares scale 0.5", "gdal_translate -unscale"],
    ),
    "one pattern for both modalities": (
        lambda _, v: v["scenes"]["sar"].update(pattern=v["scenes"]["optical"]["pattern"]),
        ["sar.pattern", "names the files of another kind too"],
    ),
    "a pattern that leaves the folder": (
        lambda _, v: v["scenes"]["sar"].update(pattern="/data/{scene}/sar.tif"),
        ["scenes.sar.pattern", "a path below scenes.root"],
    ),
    "a pattern of any depth": (
        lambda _, v: v["scenes"]["label"].update(pattern="**/{scene}/label.tif"),
        ["scenes.label.pattern", "no /, .. or **"],
    ),
    "a list that is not there": (
        lambda _, v: v["scenes"].update(list="data/list.csv"),
        ["the list of scenes data/list.csv does not exist", "mend scenes.list"],
    ),
    "a list without the column scene": (
        lambda p, v: listed(p, v, "name\na\n"),
        ["has the columns name; expected `scene`"],
    ),
    "a list that names a scene twice": (
        lambda p, v: listed(p, v, "scene\na\na\n"),
        ["lists scene a twice"],
    ),
    "a list of files outside the root": (
        lambda p, v: listed(p, v, "scene,optical\na,/etc/hosts\n"),
        ["/etc/hosts, which lies outside scenes.root"],
    ),
    "a list of scenes that are not there": (
        lambda p, v: listed(p, v, "scene\na\nz\n"),
        ["1 scene(s) (z)", "with no files", "set scenes.incomplete to skip"],
    ),
    "a list with splits of another name": (
        lambda p, v: (listed(p, v, "scene,split\na,train\nb,dev\nc,test\nd,train\n"),
                      v["split"].update(by="given")),
        ["'dev'", "train, validation, test"],
    ),
    "a given split without a list": (
        lambda _, v: v["split"].update(by="given"),
        ["split.by is given, but the list", "set split.by to scene"],
    ),
    "a given split that leaks": (
        lambda p, v: (
            shutil.copytree(p / "data/demo/a", p / "data/demo/e"),
            listed(p, v, "scene,split\na,train\nb,train\nc,validation\nd,test\ne,test\n"),
            v["split"].update(by="given"),
        ),
        ["scenes a (train) and e (test) overlap on the ground"],
    ),
    "a group that matches nothing": (
        lambda _, v: v["split"].update(group="^NH(.)"),
        ["split.group '^NH(.)' matches the name of no scene"],
    ),
    "a group that is no expression": (
        lambda _, v: v["split"].update(group="("),
        ["split.group"],
    ),
    "a mask that is not there": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask("{scene}/cloud.tif")),
        ["has no mask '{scene}/cloud.tif'", "set scenes.optical.mask to null"],
    ),
    "a mask that masks nothing": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, bad=[])),
        ["scenes.optical.mask", "neither bad nor above"],
    ),
    "a mask of a band that is not there": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, band=9)),
        ["b/optical.tif", "band 9"],
    ),
    "a mask that hides everything": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, bad=[], above=0.0)),
        ["no scene has a single valid optical pixel"],
    ),
    "placeholders that differ": (
        lambda _, v: v["scenes"]["sar"].update(pattern="{scene}/{part}.tif"),
        ["sar.pattern has the placeholders ['part', 'scene']"],
    ),
    "decibels declared as amplitude": (
        lambda p, _: [write(scene(p, "sar.tif", n), -numbers(50, 250).astype(np.float32) / 10) for n in "abcd"],
        ["b/sar.tif", "dB", "scenes.sar.unit"],
    ),
    "amplitudes declared as decibels": (
        lambda p, v: (
            [write(scene(p, "sar.tif", n), numbers(200, 900)) for n in "abcd"],
            v["scenes"]["sar"].update(unit="db"),
        ),
        ["b/sar.tif", "scenes.sar.unit"],
    ),
    "a filter of digital numbers": (
        lambda _, v: (v["scenes"]["sar"].update(unit="dn"), v["coregister"].update(speckle="lee")),
        ["coregister.speckle needs backscatter"],
    ),
    "a ratio of bands that are not there": (
        lambda _, v: v["coregister"].update(ratio=["VV", "VH"]),
        ["coregister.ratio names the band VH"],
    ),
    "a label band that is not there": (
        lambda _, v: v["scenes"]["label"].update(band=2),
        ["b/label.tif", "band 2"],
    ),
    "nothing but nodata": (
        lambda p, v: (
            [write(scene(p, "optical.tif", n), np.zeros((4, SIDE, SIDE), np.uint16)) for n in "abcd"],
            [write(scene(p, "sar.tif", n), np.zeros((1, SIDE, SIDE), np.float32)) for n in "abcd"],
            v["scenes"]["optical"].update(nodata=0.0),
        ),
        ["no scene has a single valid optical pixel", "check scenes.optical.nodata"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_message_says_what_to_do(
    case: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, words = CASES[case]
    values = read_yaml(Path("params.yaml"))
    edit(project, values)
    save(values)
    assert front() == 1
    message = " ".join(capsys.readouterr().err.split())
    for word in words:
        assert word in message
    assert "Traceback" not in message
