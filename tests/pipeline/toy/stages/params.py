"""The toy's params.yaml."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def section(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(Path("params.yaml").read_text(encoding="utf-8"))[name]
