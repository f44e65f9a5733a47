from pathlib import Path

from stages.params import section


def run(metrics: Path, stats: Path, out: Path) -> None:
    out.mkdir()
    (out / "index.html").write_text(
        f"<h1>{section('report')['title']}</h1><p>{metrics.read_text()}</p><p>{stats.read_text()}</p>"
    )
