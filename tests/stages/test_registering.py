"""What `coregister` does about misregistration: transforms that are given, evidence, scenes left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dllr.cli import main
from dllr.errors import SceneError, SplitError
from dllr.params.load import read_yaml
from dllr.raster.arrays import open_arrays
from dllr.raster.roles import Role
from dllr.splits.board import Board
from dllr.stages.registering import given_transforms
from dllr.stages.split import _leave_out

from .small_scenes import front, project, save, scene, write

__all__ = ["project"]
GIVEN = "scene,a,b,c,d,e,f\n"


def settings(**changes: Any) -> None:
    values = read_yaml(Path("params.yaml"))
    values["coregister"] |= changes
    save(values)


def registration(name: str) -> Any:
    return json.loads(Path(f"results/coregistered/{name}/record.json").read_text())["registration"]


@pytest.mark.usefixtures("project")
def test_a_given_transform_is_applied_as_it_is() -> None:
    assert front() == 0
    before = open_arrays(Path("results/coregistered/b")).sar.copy()
    Path("given.csv").write_text(GIVEN + "b,1,0,3,0,1,-2\n")
    settings(estimators=["given"], given="given.csv")
    assert front() == 0
    assert registration("b")["verdict"] == "given"
    assert registration("b")["matrix"] == [[1, 0, 3], [0, 1, -2], [0, 0, 1]]
    assert registration("a")["verdict"] == "unverified" and "no row" in registration("a")["reason"]
    after = open_arrays(Path("results/coregistered/b")).sar
    # The ground of pixel (x, y) was shown three columns to the right and two rows further up.
    assert np.allclose(after[:, 2:, :-3], before[:, :-2, 3:], atol=1e-4)
    shown = np.load("results/coregistered/b/evidence.npz")
    assert shown["before"].shape == shown["after"].shape == (1, 128, 128)
    assert np.array_equal(shown["optical"].shape, (1, 128, 128, 3)) and shown[
        "places"
    ].tolist() == [[0, 0]]


@pytest.mark.usefixtures("project")
def test_noise_is_unverified_and_stays_where_it_is() -> None:
    settings(estimators=["information", "gradients"])
    assert front() == 0
    found = registration("a")
    assert found["verdict"] == "unverified" and found["matrix"] is None and found["reason"]
    assert "after" not in np.load("results/coregistered/a/evidence.npz")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "scene,a,b\nb,1,0\n",
            ["no table of transforms", "expected the columns scene, a, b, c, d, e, f"],
        ),
        (GIVEN + "b,1,0,x,0,1,0\n", ["no table of transforms", "a number in each"]),
        (GIVEN + "b,1,0,0,0,1,0\nb,1,0,0,0,1,0\n", ["names a scene twice"]),
        (GIVEN + "b,1,0,inf,0,1,0\n", ["not finite"]),
        (None, ["does not exist", "no_transforms.csv"]),
    ],
)
def test_what_is_no_table_of_transforms_is_said(
    tmp_path: Path, text: str | None, parts: list[str]
) -> None:
    path = tmp_path / "given.csv"
    if text:
        path.write_text(text)
    with pytest.raises(SceneError) as error:
        given_transforms(path)
    assert all(part in str(error.value) for part in parts)


def test_scenes_may_be_left_out_of_training(tmp_path: Path) -> None:
    def boards(*words: str) -> dict[str, Board]:
        found = {}
        for place, word in enumerate(words):
            folder = tmp_path / f"s{place}"
            folder.mkdir(exist_ok=True)
            (folder / "record.json").write_text(json.dumps({"registration": {"verdict": word}}))
            found[folder.name] = Board.of(64, 64, None, 0)
        return found

    some = boards("unverified", "applied", "none", "unverified")
    some["s3"].roles[:] = Role.TEST
    (note,) = _leave_out(some, tmp_path)
    assert note.endswith("unverified: s0")
    assert [b.roles.item() for b in some.values()] == [
        Role.NONE,
        Role.UNLABELLED,
        Role.UNLABELLED,
        Role.TEST,
    ]
    assert _leave_out(boards("applied", "given"), tmp_path) == []
    with pytest.raises(SplitError, match="every training scene is unverified"):
        _leave_out(boards("unverified", "unverified"), tmp_path)


@pytest.mark.usefixtures("project")
def test_one_kind_of_evidence_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for estimators, part in (
        (["gradients"], "one kind of evidence"),
        (["gradients", "gradients"], "names one twice"),
        (["ecc"], "coregister.estimators"),
    ):
        settings(estimators=estimators)
        assert main(["params", "show"]) == 1
        assert part in capsys.readouterr().err


def test_the_self_test_tells_what_follows_and_what_does_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":  # structure that both images share, in other grey values
        cells = np.kron(rng.integers(0, 4, (24, 24)), np.ones((8, 8), int))[:128, :128]
        optical = np.stack([np.array(v)[cells] for v in ([900, 4000, 2000, 3000],) * 4])
        write(
            scene(project, "optical.tif", name),
            (optical + rng.integers(0, 90, optical.shape)).astype(np.uint16),
        )
        power = np.array([0.3, 0.1, 0.9, 0.05])[cells] * rng.gamma(9, 1 / 9, cells.shape)
        write(scene(project, "sar.tif", name), np.sqrt(power)[None].astype(np.float32))
    settings(estimators=["information", "gradients"])
    assert main(["coregister", "--self-test", "--trials", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = {line.split()[0]: line.split()[1] for line in lines[1:5]}
    assert words == {"a": "applied", "b": "applied", "c": "unverified", "d": "unverified"}
    assert lines[-1].startswith("4 trials followed to a median of 0.")
    assert not Path("results").exists()
    assert main(["coregister", "--self-test", "zebra"]) == 1
    assert "no scene zebra" in capsys.readouterr().err
    settings(estimators=[])
    assert main(["selftest"]) == 1
    assert "there is nothing to test" in capsys.readouterr().err
