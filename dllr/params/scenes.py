"""Section `scenes`: where the scenes lie and how their values are to be read."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from dllr.params.base import Section

FIELD = re.compile(r"\{([A-Za-z_]\w*)\}")


def _relative(pattern: str) -> str:
    if pattern.startswith("/") or "**" in pattern or ".." in pattern.split("/"):
        raise ValueError(
            "a path below scenes.root, with {scene} and perhaps * in it; no /, .. or **"
        )
    if not FIELD.search(pattern) or set("{}") & set(FIELD.sub("", pattern)):
        raise ValueError(
            "a path with {scene} in it, or with other names in braces, such as {roi} and {patch}"
        )
    return pattern


Pattern = Annotated[str, AfterValidator(_relative)]
Bands = Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class Band(Section):
    """A band of bad pixels: a cloud mask, a scene classification, a valid mask; on any grid."""

    pattern: Pattern | None
    band: Annotated[int, Field(ge=1)]
    bad: list[float]
    above: float | None

    @model_validator(mode="after")
    def _says_something(self) -> "Band":
        if not self.bad and self.above is None:
            raise ValueError("neither bad nor above is given, so the mask would mask nothing")
        return self


class Optical(Section):
    """Files of the optical modality, and how their numbers become reflectance."""

    pattern: Pattern
    bands: Bands
    scale: Annotated[float, Field(gt=0)]
    offset: float
    nodata: float | None
    mask: Band | None


class Sar(Section):
    """Files of the SAR modality and the unit of their values."""

    pattern: Pattern
    bands: Bands
    unit: Literal["dn", "amplitude", "power", "db"]
    nodata: float | None
    mask: Band | None


class LandClass(Section):
    """A class: the raw codes that mean it in the label files, and its colour on maps."""

    codes: Annotated[list[int], Field(min_length=1)]
    colour: Colour


class Label(Section):
    """Files of the labels and the meaning of their codes."""

    pattern: Pattern
    band: Annotated[int, Field(ge=1)]
    classes: dict[str, LandClass]
    ignore: list[int]

    @field_validator("classes")
    @classmethod
    def _two_to_254(cls, classes: dict[str, LandClass]) -> dict[str, LandClass]:
        if not 2 <= len(classes) <= 254:
            raise ValueError(f"{len(classes)} classes; there must be 2 to 254")
        return classes

    @model_validator(mode="after")
    def _codes_once(self) -> "Label":
        meaning: dict[int, str] = dict.fromkeys(self.ignore, "ignore")
        for name, land in self.classes.items():
            for code in land.codes:
                if meaning.setdefault(code, name) != name:
                    raise ValueError(f"code {code} means both {meaning[code]} and {name}")
        return self

    @property
    def names(self) -> list[str]:
        """Class names; a class's place in this list is its index in every product."""
        return list(self.classes)

    @property
    def colours(self) -> list[str]:
        """Map colours, `#rrggbb`, in the order of `names`."""
        return [land.colour for land in self.classes.values()]

    @property
    def codes(self) -> dict[int, int]:
        """Raw code → class index, ignore codes left out."""
        return {c: i for i, land in enumerate(self.classes.values()) for c in land.codes}


class Scenes(Section):
    """Reader settings of one scene folder."""

    root: Annotated[str, Field(min_length=1)]
    list: Annotated[str, Field(min_length=1)]
    incomplete: Literal["refuse", "skip"]
    optical: Optical
    sar: Sar
    label: Label

    @model_validator(mode="after")
    def _files_apart(self) -> "Scenes":
        patterns = {"sar": self.sar.pattern, "label": self.label.pattern}
        for kind, pattern in patterns.items():
            if pattern == self.optical.pattern or list(patterns.values()).count(pattern) > 1:
                raise ValueError(f"{kind}.pattern {pattern!r} names the files of another kind too")
        return self

    @model_validator(mode="after")
    def _placeholders_alike(self) -> "Scenes":
        fields = set(FIELD.findall(self.optical.pattern))
        masks = {"optical.mask": self.optical.mask, "sar.mask": self.sar.mask}
        patterns = {"sar": self.sar.pattern, "label": self.label.pattern}
        patterns |= {kind: mask.pattern for kind, mask in masks.items() if mask and mask.pattern}
        for kind, pattern in patterns.items():
            if (found := set(FIELD.findall(pattern))) != fields:
                raise ValueError(
                    f"{kind}.pattern has the placeholders {sorted(found)}, optical.pattern "
                    f"{sorted(fields)}; a scene's files are found by the same ones"
                )
        return self
