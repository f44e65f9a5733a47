from pathlib import Path

from stages.params import section


def run(root: Path, out: Path) -> None:
    scale = section("prepare")["scale"]
    out.mkdir()
    for file in sorted(root.glob("*.txt")):
        values = [scale * float(value) for value in file.read_text().split()]
        (out / file.name).write_text("".join(f"{value}\n" for value in values))
