"""Which scenes and blocks are held out: four ways to deal them, none of which separates what is tied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.raster.products import INDEX
from dllr.raster.roles import SPLITS, WORDS, Role
from dllr.splits.board import Board
from dllr.splits.ground import Pairs, connected, joined

Unit = list[tuple[str, int, int]]  # scene, row and column of a block: what is dealt as one


@dataclass(frozen=True)
class Ties:
    """Pairs of scenes that belong together, as places in `names`.

    ground: they overlap; copies: one is the other again; groups: they bear the same key.
    """

    names: Sequence[str]
    ground: Pairs
    copies: Pairs
    groups: Pairs

    def together(self) -> list[list[str]]:
        """Names of the scenes in groups that must not be separated, sorted; most hold one scene."""
        groups = connected(len(self.names), joined(self.ground, self.copies, self.groups))
        return [[self.names[i] for i in group] for group in groups]

    def called(self) -> list[tuple[Pairs, str]]:
        """The pairs of each kind, and what to call their tie."""
        return [
            (self.ground, "overlap on the ground"),
            (self.copies, "are copies of one another"),
            (self.groups, "are of one group"),
        ]


def deal_scenes(
    boards: Mapping[str, Board],
    labelled: set[str],
    ties: Ties,
    shares: tuple[float, float],
    generator: np.random.Generator,
) -> None:
    """Groups of whole scenes; shares: of validation and test among the groups with a label.

    Raises:
        SplitError: fewer such groups than one for each split.
    """
    groups = [g for g in ties.together() if labelled.intersection(g)]
    units: list[Unit] = [[(name, 0, 0) for name in group] for group in groups]
    parts = _parts(len(units), shares)
    if len(units) < sum(parts) + 1:
        raise SplitError(
            f"{len(units)} labelled scene(s) that share no ground or group, but a split by scene needs "
            f"at least {sum(parts) + 1}: one to train on, {parts[0]} for validation, {parts[1]} for "
            "test; add labelled scenes, or set split.by to block"
        )
    _deal(boards, units, parts, generator)


def deal_blocks(
    boards: Mapping[str, Board],
    held: Mapping[str, NDArray[np.bool_]],
    ties: Ties,
    least: int,
    chequered: bool,
    shares: tuple[float, float],
    generator: np.random.Generator,
) -> None:
    """Blocks of scenes; those are dealt that hold a label and are at least `least` px wide and high.

    held: scene → (R, C), which blocks hold a label. chequered: only black blocks are dealt, those
    whose row and column add up to an odd number, and all of them, in the proportion of the shares.

    Raises:
        SplitError: scenes are tied, or there are fewer such blocks than one for each split.
    """
    _refuse_ties(ties)
    units: list[Unit] = []
    white = 0
    for name, known in held.items():
        for row, column in np.argwhere(known & (boards[name].narrowest() >= least)).tolist():
            if chequered and (row + column) % 2 == 0:
                white += 1
            else:
                units.append([(name, row, column)])
    if chequered:
        first = max(1, min(len(units) - 1, round(len(units) * shares[0] / sum(shares))))
        parts: tuple[int, ...] = (first, len(units) - first)
        if white == 0 or len(units) < 2:
            raise SplitError(
                f"{white} white and {len(units)} black labelled block(s), but a split by checkerboard "
                "needs at least 1 white one to train on, and 2 black ones for validation and test; add "
                "labelled scenes, or make split.block smaller"
            )
    else:
        parts = _parts(len(units), shares)
        if len(units) < sum(parts) + 1:
            raise SplitError(
                f"{len(units)} labelled block(s), but a split by block needs at least {sum(parts) + 1}: "
                f"one to train on, {parts[0]} for validation, {parts[1]} for test; add labelled scenes, "
                "or make split.block smaller"
            )
    _deal(boards, units, parts, generator)


def deal_given(
    boards: Mapping[str, Board],
    labelled: set[str],
    ties: Ties,
    words: Sequence[str],
    share: float,
    generator: np.random.Generator,
) -> list[str]:
    """The split that a list gives; returns a sentence for each thing in it to be wary of.

    words: train, validation, test or "" by scene. A scene without a word trains where it has no label.
    Where the list names no scene for validation, `share` of the groups of training scenes with a
    label are held back for it.

    Raises:
        SplitError: another word, a labelled scene without one, nothing to train on or to test on, or
            scenes of different splits that overlap or are copies of one another.
    """
    given = dict(zip(ties.names, words, strict=True))
    _refuse_words(given, labelled)
    splits = {name: word or "train" for name, word in given.items()}
    notes = _separated(ties, splits)
    for name, word in splits.items():
        boards[name].roles[...] = SPLITS[word][0]
    if "validation" not in words:
        groups = [[n for n in group if splits[n] == "train"] for group in ties.together()]
        units: list[Unit] = [[(n, 0, 0) for n in g] for g in groups if labelled.intersection(g)]
        if len(units) < 2:
            raise SplitError(
                "the list names no scene for validation, and its labelled training scenes are "
                f"{len(units)} group(s), so none can be held back; name validation scenes, or set "
                "split.group to null or to an expression that makes more groups"
            )
        held = min(_parts(len(units), (share,))[0], len(units) - 1)
        _deal(boards, units, (held, 0), generator)
        notes.append(
            f"The list names no scene for validation: {held} of {len(units)} groups of its labelled "
            "training scenes are held back for it."
        )
    return notes


def _parts(count: int, shares: Sequence[float]) -> tuple[int, ...]:
    return tuple(max(1, round(share * count)) for share in shares)


def _deal(
    boards: Mapping[str, Board],
    units: Sequence[Unit],
    parts: Sequence[int],
    generator: np.random.Generator,
) -> None:
    order = generator.permutation(len(units)).tolist()
    roles = [Role.VALIDATION] * parts[0] + [Role.TEST] * parts[1]
    for number, role in zip(order, roles, strict=False):
        for name, row, column in units[number]:
            boards[name].roles[row, column] = role


def _refuse_ties(ties: Ties) -> None:
    for pairs, tie in ties.called():
        if len(pairs):
            (group, *_) = (g for g in connected(len(ties.names), pairs) if len(g) > 1)
            raise SplitError(
                f"scenes {', '.join(ties.names[i] for i in group)} {tie}, so their blocks would leak "
                "into one another; set split.by to scene, which keeps such scenes together, or remove "
                "one of them"
            )


def _refuse_words(given: Mapping[str, str], labelled: set[str]) -> None:
    for name, word in given.items():
        if word and word not in SPLITS:
            raise SplitError(
                f"the list gives scene {name} the split {word!r}; the words are {', '.join(SPLITS)}: "
                "mend the list"
            )
    missing = [name for name, word in given.items() if not word and name in labelled]
    if missing and len(missing) < len(labelled):
        raise SplitError(
            f"{len(missing)} labelled scene(s) are not in the list of splits: {', '.join(missing[:5])}; "
            f"add them to it ({', '.join(SPLITS)}), or move them away"
        )
    for word in ("train", "test"):
        if not any(given[name] == word for name in labelled):
            raise SplitError(
                f"split.by is given, but the list (column split of results/scenes/{INDEX}) names no "
                f"labelled scene for {word}; name one, or set split.by to scene"
            )


def _separated(ties: Ties, splits: Mapping[str, str]) -> list[str]:
    """Raises SplitError where the list separates the same ground; a group it may separate, knowingly."""
    separated = {
        tie: [(ties.names[i], ties.names[j]) for i, j in pairs.tolist()
              if splits[ties.names[i]] != splits[ties.names[j]]]
        for pairs, tie in ties.called()
    }  # fmt: skip
    *leaks, (_, grouped) = separated.items()
    for tie, pairs in leaks:
        if pairs:
            one, other = pairs[0]
            raise SplitError(
                f"scenes {one} ({splits[one]}) and {other} ({splits[other]}) {tie}, so the given split "
                f"leaks ({len(pairs)} such pair(s)); give them one split, remove one of them, or set "
                "split.by to scene"
            )
    if not grouped:
        return []
    one, other = grouped[0]
    return [
        f"The list separates scenes of one group, such as {one} ({splits[one]}) and {other} "
        f"({splits[other]})."
    ]


def roles_of(boards: Mapping[str, Board]) -> dict[str, set[str]]:
    """The splits that each scene is part of."""
    return {
        name: {WORDS[Role(role)] for role in np.unique(board.roles)}
        for name, board in boards.items()
    }
