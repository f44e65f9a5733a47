from pathlib import Path

from stages.params import section


def run(out: Path) -> None:
    out.mkdir()
    (out / "a.txt").write_text("".join(f"{n}\n" for n in range(section("demo")["country"]["rows"])))
