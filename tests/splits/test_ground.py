"""Scenes that share ground, or a name for it, are found and stay together."""

import networkx
import numpy as np
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dllr.raster.grid import Grid
from dllr.splits.ground import alike, connected, copies, overlapping

PLACES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 5), st.integers(1, 5)),
    max_size=14,
)


def degrees(west: float, south: float, width: int, height: int) -> Grid:
    """A scene of pixels of 1° × 1°, as high and wide as told."""
    return Grid(
        CRS.from_epsg(4326), Affine(1, 0, west, 0, -1, south + height), height=height, width=width
    )


@given(PLACES, st.integers(-180, 160))
def test_boxes_overlap_if_they_share_a_cell(
    places: list[tuple[int, int, int, int]], west: int
) -> None:
    cells = [{(x + i, y + j) for i in range(w) for j in range(h)} for x, y, w, h in places]
    expected = {(i, j) for j in range(len(cells)) for i in range(j) if cells[i] & cells[j]}
    grids = [degrees(west + x, y, w, h) for x, y, w, h in places]
    assert {(i, j) for i, j in overlapping(grids).tolist()} == expected


def test_scenes_on_either_side_of_the_date_line_are_neighbours_or_overlap() -> None:
    zones = [CRS.from_epsg(32660), CRS.from_epsg(32601)]
    east, west, apart = (
        Grid(crs, Affine(100, 0, x, 0, -100, 2_000_000), height=200, width=400)
        for crs, x in zip([*zones, zones[1]], [800_000, 170_000, 260_000], strict=True)
    )
    assert overlapping([east, west, apart]).tolist() == [[0, 1]]


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=30)
        )
    )
)
def test_groups_are_the_components_of_the_graph(case: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = case
    graph = networkx.Graph(pairs)
    graph.add_nodes_from(range(count))
    expected = sorted(sorted(part) for part in networkx.connected_components(graph))
    assert connected(count, np.array(pairs, np.int64).reshape(-1, 2)) == expected


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=20))
def test_the_same_key_ties_and_no_key_does_not(keys: list[str]) -> None:
    groups = connected(len(keys), alike(keys))
    assert all(len(group) == 1 or {keys[i] for i in group} != {""} for group in groups)
    for group in groups:
        assert len({keys[i] for i in group}) == 1
        assert not keys[group[0]] or len(group) == keys.count(keys[group[0]])


def test_a_copy_goes_with_the_scene_it_names_and_with_other_copies() -> None:
    pairs = copies(["a", "b", "c", "d", "e"], ["", "a", "gone", "gone", ""])
    assert connected(5, pairs) == [[0, 1], [2, 3], [4]]
