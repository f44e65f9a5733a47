"""What a study's file may say, and what it is told where it errs."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tiny_project import Project

from dllr.errors import DllrError, StudyError
from dllr.params.load import read_yaml
from dllr.study import description


def cells(project: Project, **study: object) -> list[description.Cell]:
    file = project.describe(**{"set": "tiny"} | study)
    return description.cells(description.read(file)[1], file, project.root)


def test_cells_are_the_product_of_values_and_the_seeds_in_step(project: Project) -> None:
    found = cells(
        project,
        fixed={"warmup.steps": 7},
        values={"split.labelled_tiles": [2, 4], "train.learning_rate": [0.1]},
        seeds={"train.seed": [0, 1], "split.seed": [10, 11]},
    )
    assert [tuple(cell.varied.values()) for cell in found] == [
        (2, 0.1, 0, 10),
        (2, 0.1, 1, 11),
        (4, 0.1, 0, 10),
        (4, 0.1, 1, 11),
    ]
    params = found[-1].params
    assert params["warmup"]["steps"] == 7
    assert (params["train"]["seed"], params["split"]["seed"]) == (1, 11)
    assert params["split"]["labelled_tiles"] == 4
    assert found[0].params["train"]["seed"] == 0
    assert found[0].name == (
        "split.labelled_tiles=2,train.learning_rate=0.1,train.seed=0,split.seed=10"
    )


def test_a_study_without_values_is_one_cell(project: Project) -> None:
    assert [cell.name for cell in cells(project)] == ["tiny"]


def test_scenes_of_the_project_are_found_from_a_cell(project: Project) -> None:
    (only,) = cells(project)
    assert only.params["scenes"]["root"] == str(project.root / "data" / "scenes")


def test_scenes_that_are_simulated_stay_where_the_cell_makes_them(project: Project) -> None:
    (only,) = cells(project, set="quick")
    assert only.params["scenes"]["root"] == "data/demo"


def test_values_that_no_folder_can_be_called_by_have_names_of_their_own(project: Project) -> None:
    found = cells(project, values={"rounds": [{}, {"1": 0}], "evaluate.overlap": [0.1]})
    names = [cell.name for cell in found]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"rounds=[\w.,=+-]+-[0-9a-f]{8}", name) for name in names)
    assert [cell.params["rounds"] for cell in found] == [{}, {"1": 0}]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"seeds": {"train.sede": [0]}}, "train.sede: unknown key; did you mean `seed`?"),
        ({"values": {"trian.seed": [0]}}, "trian: unknown key; did you mean `train`?"),
        ({"values": {"train.seed": [0, -1]}}, "cell train.seed=-1:\n  train.seed: input should"),
        ({"fixed": {"train.seed.x": 0}}, "train.seed.x names nothing: `seed` is a value"),
        ({"vaules": {}}, "vaules: unknown key; did you mean `values`?"),
        ({"set": "tyni"}, "no parameter set `tyni`"),
        ({"set": 3}, "set: Input should be a valid string, found 3"),
        ({"jobs": 0}, "jobs: Input should be greater than or equal to 1, found 0"),
        ({"values": {"train.seed": []}}, "values.train.seed: List should have at least 1 item"),
        ({"values": {"train.seed": [1, 1]}}, "the cell train.seed=1 comes twice"),
        ({"seeds": {"train.seed": [0, 1], "split.seed": [0]}}, "lists of different lengths"),
        ({"fixed": {"train.seed": 1}, "seeds": {"train.seed": [0]}}, "train.seed is given twice"),
        ({"fixed": {"scenes.root": "data/away"}}, "no folder of scenes at "),
    ],
)
def test_errors_name_what_is_wrong(
    project: Project, study: dict[str, object], message: str
) -> None:
    with pytest.raises(DllrError, match=re.escape(message)):
        cells(project, **study)


def test_a_study_that_is_not_there(project: Project) -> None:
    there = project.describe(set="tiny")
    with pytest.raises(DllrError, match=r"gird\.yaml does not exist; .* there is: grid\.yaml"):
        description.read(there.with_name("gird.yaml"))


def test_a_study_without_a_set(project: Project) -> None:
    with pytest.raises(DllrError, match="set: missing"):
        description.read(project.describe(jobs=1))


def test_a_tier_is_the_study_at_a_size_of_its_own(project: Project) -> None:
    described = {
        "set": "tiny",
        "fixed": {"warmup.steps": 7, "train_round.steps": 8},
        "seeds": {"train.seed": [0]},
        "tiers": {
            "core": {"values": {"split.labelled_tiles": [2]}},
            "full": {"fixed": {"warmup.steps": 9}, "seeds": {"train.seed": [0, 1]}},
        },
    }
    file = project.describe(**described)
    name, core = description.read(file)
    assert name == "grid_core"
    assert core.values == [{"split.labelled_tiles": [2]}]
    name, full = description.read(file, "full")
    assert name == "grid_full"
    assert full.fixed == {"warmup.steps": 9, "train_round.steps": 8}
    assert [
        cell.params["train"]["seed"] for cell in description.cells(full, file, project.root)
    ] == [0, 1]


@pytest.mark.parametrize(
    ("tiers", "tier", "message"),
    [
        ({"core": {}}, "cor", "no tier 'cor'; there is: core"),
        ({}, "core", "no tier 'core'; there is: none, so leave it out"),
        (["core"], None, "tiers: name → keys of its own, found \\['core'\\]"),
        ({"core": {"vaules": {}}}, None, "vaules: unknown key"),
        ({"core": {"fixed": None, "set": 3}}, None, "set: Input should be a valid string, found 3"),
        ({"a": {"fixed": [1]}}, None, r"fixed: parameter → value, found \{\} and \[1\]"),
    ],
)
def test_tiers_that_are_none_are_refused(
    project: Project, tiers: object, tier: str | None, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        description.read(project.describe(set="tiny", tiers=tiers), tier)


ROOT = Path(__file__).parents[2]
TIERS = [
    (file, tier)
    for file in sorted((ROOT / "studies").glob("*.yaml"))
    for tier in read_yaml(file).get("tiers", {None: {}})
]


@pytest.mark.parametrize(("file", "tier"), TIERS, ids=lambda value: getattr(value, "stem", value))
def test_the_studies_of_the_project_are_right(file: Path, tier: str | None, tmp_path: Path) -> None:
    """Their cells' parameters are checked as a whole; of scenes there need only be a folder."""
    _, study = description.read(file, tier)
    text = description.resolve(study.set)
    scenes = YAML(typ="safe", pure=True).load(text)["scenes"]["root"]
    (tmp_path / scenes).mkdir(parents=True)
    assert description.cells(study, file, tmp_path)


def test_seeds_of_the_proof_were_never_used_in_development() -> None:
    used = set()
    for file, tier in TIERS:
        _, study = description.read(file, tier)
        if file.stem not in {"demo", "ablation", "gate", "longer"}:  # they take the proof apart
            used |= {
                *study.seeds.get("demo.country.seed", []),
                study.fixed.get("demo.country.seed"),
            }
    _, proof = description.read(ROOT / "studies" / "demo.yaml", "core")
    assert used.isdisjoint(proof.seeds["demo.country.seed"])
    assert min(proof.seeds["demo.country.seed"]) >= 2000
