"""Each check on plain facts: what it must find, and what it must leave alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_facts import SCENES, band, image, moved, scene, short
from hypothesis import given
from hypothesis import strategies as st

from dllr.ingest.audit import geometry, labels, values, whole
from dllr.ingest.audit.examine import Examined
from dllr.ingest.audit.finding import Finding, percent
from dllr.ingest.audit.text import text
from dllr.ingest.sources import Source
from dllr.raster.image import Image


@given(st.integers(-50, 50), st.integers(-50, 50), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_whole_pixels_are_no_offset(columns: int, rows: int, dx: float, dy: float) -> None:
    found = geometry.offset(image(), moved(10 * (columns + dx), -10 * (rows + dy)))
    assert found == pytest.approx((dx, dy), abs=6e-4)


@pytest.mark.parametrize(
    "other",
    [moved(0, 0, "EPSG:32651"), moved(0, 0, pixel=12), image(transform=[6, 8, 5e5, 8, -6, 33e5])],
)
def test_other_grids_have_no_offset(other: dict[str, Any]) -> None:
    assert geometry.offset(image(), other) is None


def test_a_crs_may_be_spelt_out() -> None:
    from rasterio.crs import CRS

    spelt = moved(0, 0, CRS.from_epsg(32650).to_wkt())
    assert geometry.offset(image(), spelt) == (0, 0)


@pytest.mark.parametrize(
    ("sar", "label", "wanted"),
    [
        (1.0, 1.0, []),
        (0.6, 0.6, []),
        (0.4, 1.0, [("warning", "coverage")]),
        (0.0, 1.0, [("error", "position")]),
        (1.0, 0.1, [("warning", "coverage")]),
        (0.0, 0.0, [("error", "position")] * 2),
    ],
)
def test_positions(sar: float, label: float, wanted: list[tuple[str, str]]) -> None:
    assert short(geometry.positions(scene(sar_overlap=sar, label_overlap=label))) == wanted


@pytest.mark.parametrize(
    ("kind", "size", "wanted"),
    [
        ("sar", 10, []),
        ("sar", 40, []),
        ("sar", 41, [("warning", "resolution")]),
        ("sar", 2.4, [("warning", "resolution")]),
        ("sar", 641, [("error", "resolution")]),
        ("sar", 0.1, [("error", "resolution")]),
        ("label", 2.4, []),  # fine labels are no trouble
        ("label", 41, [("warning", "resolution")]),
    ],
)
def test_resolutions(kind: str, size: float, wanted: list[tuple[str, str]]) -> None:
    assert short(geometry.resolution(scene(**{kind: image(pixel_size=size)}))) == wanted


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (None, None),
        (moved(50, -20), None),
        (moved(3, -4), "0.3, 0.4 px off"),
        (moved(0, 0, "EPSG:32651"), "has the CRS EPSG:32651"),
        (moved(0, 0, pixel=20), "has pixels of"),
    ],
)
def test_labels_off_the_grid(label: dict[str, Any] | None, words: str | None) -> None:
    found = list(geometry.label_grid(scene(label=label)))
    assert [f.level for f in found] == ["warning"] * (words is not None)
    assert all(words in f.message for f in found if words)


@pytest.mark.parametrize(
    ("unit", "found", "wanted"),
    [
        # What the units look like when they are declared rightly.
        ("db", band(-31.2, -11.5, 3.1, negative=0.97, whole=False), None),
        ("db", band(-20, -3, 4, negative=0.8), None),  # rounded to whole dB
        ("amplitude", band(0, 210, 900), None),
        ("amplitude", band(0.001, 0.2, 0.9, whole=False), None),
        ("amplitude", band(-0.01, 0.2, 0.9, whole=False, negative=0.0005), None),  # noise subtraction
        ("power", band(0.0001, 0.03, 0.8, whole=False), None),
        ("power", band(0, 90_000.5, 400_000.5, whole=False), None),
        ("dn", band(0, 91, 217), None),
        ("dn", band(-31.2, -11.5, 3.1, negative=0.97), None),
        # And wrongly.
        ("db", band(0, 210, 900), "error"),
        ("db", band(0.5, 34.5, 48, whole=False), "error"),
        ("db", band(-3, 20, 51, whole=False, negative=0.01), "error"),
        ("db", band(0, 7, 20), "error"),
        ("db", band(0.01, 0.2, 0.9, whole=False), "warning"),
        ("db", band(-3100, -1150, 310, negative=0.97), "error"),  # hundredths of a dB, some bright
        ("db", band(-3100, -1150, 31, negative=0.97), "warning"),
        ("amplitude", band(-31.2, -11.5, 3.1, negative=0.97, whole=False), "error"),
        ("power", band(-25, -9, 2.1, negative=0.002, whole=False), "error"),
        ("power", band(0, 210, 1900), "warning"),
        ("dn", band(-31.2, -11.5, 3.1, negative=0.97, whole=False), "warning"),
    ],
)  # fmt: skip
def test_sar_units(unit: str, found: dict[str, Any], wanted: str | None) -> None:
    sar = SCENES.sar.model_copy(update={"unit": unit})
    assert [f.level for f in values.sar_unit(image(found), sar)] == ([wanted] if wanted else [])


@pytest.mark.parametrize("fill", [65535.0, 1e20])
def test_units_are_not_judged_by_a_value_that_means_nodata(fill: float) -> None:
    sar = SCENES.sar.model_copy(update={"unit": "db"})
    bad = image(band(-31, -11, fill, whole=False), fills=[[fill, 0.02]])
    assert short(values.sar_unit(bad, sar)) == []
    sar = SCENES.sar.model_copy(update={"unit": "power"})
    bad = image(band(-9999, 0.1, 2, whole=False, negative=0.03), fills=[[-9999.0, 0.03]])
    assert short(values.sar_unit(bad, sar)) == []


@pytest.mark.parametrize(
    ("found", "more", "wanted"),
    [
        (band(1, 900, 4000), {}, 0),
        (band(-200, 900, 19_000), {}, 0),
        (band(1, 100, 5000, whole=False), {"dtype": "float32"}, 0),
        (band(1, 900, 20_500), {}, 1),  # TOA of 15 bits, or offset lost
        (band(0.01, 0.1, 0.4, whole=False), {"dtype": "float32"}, 1),  # reflectance already
        (band(1, 90, 200), {"dtype": "uint8"}, 1),
        (band(-5001, 900, 4000), {}, 1),
        (band(-9999, 900, 4000), {"fills": [[-9999.0, 0.2]]}, 0),  # nodata says it all
    ],
)
def test_reflectance(found: dict[str, Any], more: dict[str, Any], wanted: int) -> None:
    assert (
        short(values.reflectance(image(found, **more), SCENES.optical))
        == [("warning", "reflectance")] * wanted
    )


@pytest.mark.parametrize(
    ("fills", "said"),
    [
        ([], []),
        ([[0.0, 0.009]], []),
        ([[0.0, 0.02]], ["2.0 % of the valid pixels hold 0 in all bands"]),
        ([[-9999.0, 0.0005]], []),
        ([[-9999.0, 0.002], [1e20, 0.5]], ["scenes.sar.nodata to -9999", "scenes.sar.nodata to 1e+20"]),
    ],
)  # fmt: skip
def test_undeclared_nodata(fills: list[list[float]], said: list[str]) -> None:
    found = list(values.fills("sar", image(fills=fills)))
    assert len(found) == len(said)
    assert all(words in f.message for f, words in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("more", "nodata", "wanted"),
    [
        ({}, None, 0),
        ({}, 0.0, 0),
        ({"nodata": 0.0}, 0.0, 0),
        ({"nodata": 0.0}, None, 0),
        ({"nodata": 65535.0}, 0.0, 1),
        ({}, -9999.0, 1),
        ({"dtype": "float32"}, -9999.0, 0),
    ],
)
def test_declared_nodata(more: dict[str, Any], nodata: float | None, wanted: int) -> None:
    found = short(values.declared("optical", image(**more), nodata))
    assert found == [("note", "nodata value")] * wanted


@pytest.mark.parametrize(
    ("dtype", "found", "wanted"),
    [
        ("uint8", band(max=255, at_max=0.004), 0),
        ("uint8", band(max=255, at_max=0.006), 1),
        ("uint16", band(max=4095, at_max=0.006), 0),
        ("uint16", band(max=4095, at_max=0.02), 1),
        ("float32", band(max=1, at_max=0.02, whole=False), 1),
        ("uint8", band(7, 7, 7, max=7, at_max=1), 0),  # constant is another finding
    ],
)
def test_saturation(dtype: str, found: dict[str, Any], wanted: int) -> None:
    assert (
        short(values.saturated(image(found, dtype=dtype), ["b"]))
        == [("warning", "saturated")] * wanted
    )


def test_nodata_at_the_types_largest_value_is_not_saturation_too() -> None:
    filled = image(band(max=65535, at_max=0.3), fills=[[65535.0, 0.3]])
    assert short(values.saturated(filled, ["b"])) == []


def test_bands_that_teach_nothing() -> None:
    nothing = band(min=None, max=None, missing=1.0, pixels="e")
    flat, same = band(7, 7, 7, max=7, pixels="f"), band(pixels="s")
    good = band(pixels="g")
    names = ["a", "b", "c", "d", "e", "f"]
    found = list(values.empty_bands("sar", image(nothing, flat, same, good, same, flat), names))
    assert [f.check for f in found] == ["empty band", "constant band", "identical bands"]
    assert "band a holds only nodata" in found[0].message
    assert "bands b, f hold the value 7 only" in found[1].message
    assert "bands c, e hold the same" in found[2].message
    assert short(values.empty_bands("sar", image(nothing, nothing), ["a", "b"])) == []


@pytest.mark.parametrize(
    ("nodata", "masked", "wanted"),
    [(0.9, 0.0, []), (0.95, 0.0, ["nodata"]), (0.95, 0.93, ["mask"]), (0.95, 0.5, [])],
)
def test_scenes_that_are_gone(nodata: float, masked: float, wanted: list[str]) -> None:
    gone = image(nodata_share=nodata, masked_share=masked)
    assert [f.check for f in values.missing("optical", gone)] == wanted


@given(st.dictionaries(st.integers(-5, 300), st.integers(1, 99), min_size=1))
def test_codes_are_in_the_map_ignored_or_refused(counts: dict[int, int]) -> None:
    codes = {str(code): count for code, count in counts.items()}
    found = list(labels.codes(image(codes=codes), SCENES.label))
    meant = set(SCENES.label.codes)
    unknown = set(counts) - meant - set(SCENES.label.ignore)
    assert [f.level for f in found] == ["error"] * bool(unknown)
    assert all(
        f"{code} ({counts[code]} px)" in found[0].message
        for code in sorted(unknown)[:1]
        if len(unknown) < 9
    )
    classes = labels.histogram(codes, SCENES.label)
    assert sum(classes.values()) == sum(n for code, n in counts.items() if code in meant)


@pytest.mark.parametrize(("known", "wanted"), [(0, 1), (9, 1), (10, 0), (10_000, 0)])
def test_labels_that_hardly_say_anything(known: int, wanted: int) -> None:
    found = short(labels.known(scene(classes={"water": known})))
    assert found == [("warning", "label share")] * wanted
    assert short(labels.known(scene(label=None, classes={}))) == []


def test_classes_must_be_in_several_places() -> None:
    everywhere = dict.fromkeys(SCENES.label.names, 5)
    records = [
        scene("a", classes=everywhere),
        scene("b", classes=everywhere | {"road": 0, "city": 0}),
    ]
    records.append(scene("c", label=None, classes={}))
    found = list(whole.classes(records, SCENES))
    assert short(found) == [("warning", "class in one place")] * 2
    assert "only scene a holds the class city" in found[0].message
    records[0]["classes"] = everywhere | {"road": 0}
    assert short(whole.classes(records, SCENES))[-1] == ("warning", "class absent")
    for record in records:
        record["group"] = "north"
    records[1] |= {"group": "", "classes": {"water": 5}}
    records[2]["classes"] = everywhere
    assert "only group north holds" in next(whole.classes(records, SCENES)).message
    assert short(whole.classes(records[:1], SCENES)) == [("warning", "class absent")]


def source(name: str, split: str = "", label: bool = True) -> Source:
    files = Image(Path("o.tif"), (1,)), Image(Path("s.tif"), (1,))
    return Source(name, *files, Path("l.tif") if label else None, split)


@pytest.mark.parametrize(
    ("splits", "wanted"),
    [(["", "train", "validation", "test"], 0), (["train", "val"], 1), (["Train", "dev", "dev"], 2)],
)
def test_given_splits_are_three_words(splits: list[str], wanted: int) -> None:
    sources = [source(str(i), split) for i, split in enumerate(splits)]
    assert short(whole.splits(sources, SCENES)) == [("error", "split")] * wanted


def test_something_must_be_labelled_and_seen() -> None:
    assert short(whole.labelled([source("a", label=False)], SCENES)) == [("error", "labels")]
    assert short(whole.labelled([source("a", label=False), source("b")], SCENES)) == []
    assert short(whole.known([scene(classes={"water": 0})])) == [("error", "labels")]
    assert short(whole.known([scene(classes={"water": 0}), scene()])) == []
    empty = scene(sar=image(nodata_share=1.0))
    assert short(whole.seen([empty, empty])) == [("error", "nodata")]
    assert short(whole.seen([empty, scene()])) == []


def test_scenes_that_are_unlike() -> None:
    one, other = scene("a"), scene("b", sar=image(dtype="float32", pixel_size=12.1))
    assert short(whole.alike([one, one])) == []
    assert short(whole.alike([one, other])) == [("note", "types"), ("warning", "pixel sizes")]
    assert "10 m (a) to 12.1 m (b)" in list(whole.alike([one, other]))[1].message


def test_scenes_that_are_twice() -> None:
    def of(name: str, optical: str | None, sar: str | None) -> dict[str, Any]:
        return scene(name, optical=image(pixels=optical), sar=image(pixels=sar))

    records = [
        of("a", "x", "y"),
        of("b", "x", "z"),
        of("c", None, None),
        of("d", None, "z"),
        of("e", "x", "y"),
        of("f", "x", "z"),
    ]
    assert whole.first_alike(records) == {
        "b": {"a": "optical"}, "d": {"b": "SAR"}, "e": {"a": "optical and SAR"},
        "f": {"a": "optical", "b": "SAR"},
    }  # fmt: skip
    assert short(whole.duplicates(records)) == [("warning", "duplicate")] * 5


def test_many_scenes_with_one_trouble_are_told_together_and_errors_each() -> None:
    names = [f"s{i}" for i in range(9)]
    findings = [Finding("error", n, "file", f"{n} is bad") for n in names]
    findings += [Finding("warning", n, "saturated", f"{n} is bright") for n in names]
    printed = text(Examined([source(n) for n in names], [], findings), SCENES.label)
    assert all(f"  file: {n} is bad" in printed for n in names)
    assert printed.count("is bright") == 3
    assert "  saturated: likewise in s3, s4, s5, s6, s7, s8" in printed
    assert "9 errors" in printed and "9 warnings" in printed and "0 notes" in printed


@given(st.floats(0, 1))
def test_percentages_are_never_rounded_to_nothing_or_all(share: float) -> None:
    printed = percent(share)
    assert (printed == "0.0 %") == (share == 0)
    assert (printed == "100.0 %") == (share == 1)
    if printed[0] not in "<>":
        assert float(printed[:-2]) / 100 == pytest.approx(share, abs=5.01e-4)
    assert np.isfinite(share)
