"""A small project that studies run in: real git, real DVC, thin stages."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dllr import study


@dataclass
class Project:
    """A git repository with a pipeline, scenes beside it, and the studies of one test."""

    root: Path
    log: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as it is")

    def describe(self, **study: object) -> Path:
        """Write studies/grid.yaml."""
        path = self.root / "studies" / "grid.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML().dump(study, file)
        return path

    def study(self, **described: object) -> str:
        return study.run(self.describe(**described).relative_to(self.root), self.root)

    def ran(self) -> list[dict[str, str]]:
        """A line for each stage that ran since the last call."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return [json.loads(line) for line in text.splitlines()]

    def counts(self) -> Counter[str]:
        return Counter(line["stage"] for line in self.ran())

    def cell(self, name: str) -> Path:
        return self.root / "studies" / "cells" / "grid" / name

    @property
    def table(self) -> Path:
        return self.root / "studies" / "results" / "grid.csv"
