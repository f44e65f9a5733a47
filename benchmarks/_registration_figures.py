"""From rows of jobs to the figures of `benchmarks.registration`, and to tables for people."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._registration_jobs import METHODS, UNGATED, Row
from benchmarks._registration_peers import PEERS
from dllr.registration.transform import Floats64, distance

FAILED, SUSPICIOUS = 2.0, 1.5  # px: an error that is a failure; one that is shown with its pair
LIMITS = {"flat": 1.0, "relief": 1.5}  # px, what is asked of pairs without and with hills
CLOUDY = 0.2  # share of cloud above which a pair is cloudy

Figures = dict[str, Any]


def of_simulated(rows: list[Row]) -> Figures:
    accepted = [r for r in rows if r["accepted"]]
    bad = [r for r in accepted if r["errors"]["ours"] > SUSPICIOUS]
    keys = ("seed", "relief", "looks", "cloud", "wedge")
    found: Figures = {
        "pairs": len(rows), "accepted": len(accepted),
        "accepted_and_wrong": sum(r["errors"]["ours"] > FAILED for r in accepted),
        "accepted_above_1.5": [
            {k: r[k] for k in keys} | {"error": _three(r["errors"]["ours"])} for r in bad
        ],
        "accepted_once_led": sum(r["led"] for r in accepted),
        "accepted_below_a_quarter_known": sum(r["coverage"] < 0.25 for r in accepted),
        "refused": [
            {k: r[k] for k in keys}
            | {"reason": r["reason"], "error_whatever_the_verdict": _three(r["errors"][UNGATED])}
            for r in rows
            if not r["accepted"]
        ],
        "cpu_seconds": _spread(r["cpu_seconds"] for r in rows),
        "seconds": _spread(r["seconds"] for r in rows),
    }  # fmt: skip
    for name, limit in LIMITS.items():
        mine = [r for r in rows if (r["relief"] > 0) == (name == "relief")]
        found[name] = _accepted(mine, limit) | {
            "clear": _accepted([r for r in mine if r["cloud"] <= CLOUDY], limit),
            "cloudy": _accepted([r for r in mine if r["cloud"] > CLOUDY], limit),
        }
    for key, wedge in (("with_wedge", True), ("without_wedge", False)):
        mine = [r for r in rows if r["wedge"] == wedge]
        found[key] = {k: v for k, v in _accepted(mine, 1.0).items() if "below" not in k}
    return found


def of_methods(rows: list[Row]) -> Figures:
    """Each method on all simulated pairs, without a gate; a failure has the largest error."""
    hills = np.array([r["relief"] > 0 for r in rows])
    found: Figures = {
        name: _ungated(np.array([_or_inf(r["errors"][name]) for r in rows]), hills)
        for name in METHODS
    }
    for name in PEERS:
        found[name]["cpu_seconds"] = _median([r["peer_cpu_seconds"][name] for r in rows])
    found["the best shift there is"] = _ungated(np.array([r["shift_at_best"] for r in rows]), hills)
    return found


def of_real(rows: list[Row]) -> Figures:
    """Ours against the mean of the scene's other accepted ones; all methods against their own transform
    of the pair as it is, over all movements and over those that ours accepts.

    An error says how well an estimate repeats, not how near it is to the truth.
    """
    parts = {s: [r for r in rows if r["scene"] == s] for s in sorted({r["scene"] for r in rows})}
    errors = {s: _equivariance(part) for s, part in parts.items()}
    found: Figures = {
        "trials": len(rows), **_trials(rows, [e for some in errors.values() for e in some]),
        "refused_reasons": [
            f"{r['scene']}/{r['number']}: {r['reason']}" for r in rows if not r["accepted"]
        ],
        "scenes": {s: _trials(part, errors[s]) for s, part in parts.items()},
        "as_is_apart": {s: _apart(part) for s, part in parts.items()},
        "methods": {},
    }  # fmt: skip
    for name in ("ours", *METHODS):
        every = {s: _followed(part, name, accepted=False) for s, part in parts.items()}
        same = [e for part in parts.values() for e in _followed(part, name, accepted=True)]
        figures: Figures = {
            "accepted": len(same), "median_of_accepted": _median(same),
            "failed_of_accepted": sum(e > FAILED for e in same),
        }  # fmt: skip
        if name != "ours":
            moved = [e for some in every.values() for e in some]
            figures |= {
                "moved": len(moved), "median": _median(moved),
                "failed": sum(e > FAILED for e in moved),
                "failed_by_scene": {s: sum(e > FAILED for e in v) for s, v in every.items()},
            }  # fmt: skip
        found["methods"][name] = figures
    return found


def of_ombria(rows: list[Row]) -> Figures:
    accepted = [r for r in rows if r["accepted"]]
    return {
        "scenes": len(rows), "accepted": len(accepted),
        "accepted_within_1": sum(r["farthest"] <= 1 for r in accepted),
        "accepted_beyond_1": sum(r["farthest"] > 1 for r in accepted),
        "refused": len(rows) - len(accepted),
        "rmse_within_1": sum(r["rmse"] <= 1 for r in accepted),
        "by_scene": {
            r["scene"]: {"farthest": _three(r["farthest"]), "rmse": _three(r["rmse"])}
            if r["accepted"]
            else r["reason"]
            for r in rows
        },
    }  # fmt: skip


def tables(found: Figures) -> str:
    """All of it as Markdown."""
    simulated = found["simulated"]
    lines = [
        f"Simulated: {simulated['accepted']} of {simulated['pairs']} accepted, "
        f"{simulated['accepted_and_wrong']} of them wrong by more than {FAILED:g} px; "
        f"{simulated['cpu_seconds']['median']} CPU s a pair. RMSE of the accepted, px:",
        *_table(
            ["simulated", "pairs", "accepted", "median", "95 %", "worst", "below limit", "limit"],
            [
                [f"{name}{sky}", *(part[k] for k in _KEYS), limit]
                for name, limit in LIMITS.items()
                for sky, part in (
                    ("", simulated[name]),
                    (f", cloud ≤ {CLOUDY:g}", simulated[name]["clear"]),
                    (f", cloud > {CLOUDY:g}", simulated[name]["cloudy"]),
                )
            ],
        ),
        f"Accepted above {SUSPICIOUS} px: {simulated['accepted_above_1.5'] or 'none'}.",
        f"The same pairs without a gate, px; failed: more than {FAILED:g} px or no transform.",
        *_table(
            ["method", "median, flat", "relief", "failed, flat", "relief", "CPU s a pair"],
            [[name, *(m.get(k, "") for k in _METHOD_KEYS)] for name, m in found["methods"].items()],
        ),
    ]
    if "trials" in (real := found["real"]):
        lines += [
            f"Real, moved by known transforms, {real['trials']} trials, px at the worst of five marks:",
            *_table(
                [
                    "scene",
                    "accepted",
                    "once led",
                    "median",
                    "95 %",
                    "worst",
                    "below 1 px",
                    "refused",
                ],
                [
                    [name, *(part[k] for k in _REAL_KEYS)]
                    for name, part in (*real["scenes"].items(), ("all", real))
                ],
            ),
            "Against each method's own transform of the pair as it is, on the movements that ours "
            "accepts and on all:",
            *_table(
                ["method", "median", "failed", "of", "median, all", "failed", "of", "by scene"],
                [
                    [
                        name,
                        *(m.get(k, "") for k in _FOLLOWED_KEYS),
                        _pairs(m.get("failed_by_scene", {})),
                    ]
                    for name, m in real["methods"].items()
                ],
            ),
            "Other transforms of the pair as it is from ours, px:",
            *_table(
                ["scene", *METHODS],
                [
                    [scene, *apart.values()]
                    for scene, apart in real["as_is_apart"].items()
                    if apart is not None
                ],
            ),
        ]
    if "scenes" in (ombria := found["ombria"]):
        lines += [
            f"Ombria, images on one grid: of {ombria['scenes']} scenes {ombria['accepted_within_1']} "
            f"accepted within 1 px of no shift, {ombria['accepted_beyond_1']} accepted beyond, "
            f"{ombria['refused']} refused."
        ]
    return "\n\n".join(["\n".join(part) for part in _paragraphs(lines)])


_KEYS = ("pairs", "accepted", "median", "p95", "worst", "share_below_limit")
_METHOD_KEYS = ("median_flat", "median_relief", "failed_flat", "failed_relief", "cpu_seconds")
_REAL_KEYS = (
    "accepted", "accepted_once_led", "median", "p95", "worst", "share_below_1", "refused"
)  # fmt: skip
_FOLLOWED_KEYS = (
    "median_of_accepted", "failed_of_accepted", "accepted", "median", "failed", "moved"
)  # fmt: skip


def _accepted(rows: list[Row], limit: float) -> Figures:
    errors = [r["errors"]["ours"] for r in rows if r["accepted"]]
    return {
        "pairs": len(rows), "accepted": len(errors),
        "accepted_share": _share(r["accepted"] for r in rows),
        "refused_share": _share(not r["accepted"] for r in rows),
        **_spread(errors), "share_below_limit": _share(e < limit for e in errors),
    }  # fmt: skip


def _ungated(errors: Floats64, hills: NDArray[np.bool_]) -> Figures:
    failed = errors > FAILED
    return {
        "median": _median(errors),
        "median_flat": _median(errors[~hills]), "median_relief": _median(errors[hills]),
        "failed": int(failed.sum()),
        "failed_flat": int(failed[~hills].sum()), "failed_relief": int(failed[hills].sum()),
        "without_transform": int(np.isinf(errors).sum()),
    }  # fmt: skip


def _equivariance(rows: list[Row]) -> list[float]:
    """Of each accepted transform of a scene from the mean of all others."""
    matrices = [np.array(r["matrices"]["ours"]) for r in rows if r["accepted"]]
    size = rows[0]["size"]
    if len(matrices) < 2:
        return []
    return [
        distance(m, np.mean(matrices[:n] + matrices[n + 1 :], axis=0), size)
        for n, m in enumerate(matrices)
    ]


def _followed(rows: list[Row], name: str, accepted: bool) -> list[float]:
    """Of a method's transforms of a moved pair from its own of the pair as it is; accepted: only where
    ours are."""
    as_is = next(r for r in rows if r["number"] == 0)
    moved = [r for r in rows if r["number"] > 0]
    if accepted:
        moved = [r for r in moved if r["accepted"] and as_is["accepted"]]
    return [_between(r["matrices"][name], as_is["matrices"][name], r["size"]) for r in moved]


def _apart(rows: list[Row]) -> dict[str, float | None] | None:
    """px, each method's transform of the pair as it is from ours; None where ours is refused."""
    row = next(r for r in rows if r["number"] == 0)
    found = row["matrices"]
    if not row["accepted"]:
        return None
    return {name: _three(_between(found[name], found["ours"], row["size"])) for name in METHODS}


def _between(first: Any, second: Any, size: Any) -> float:
    """px at the worst of five marks; infinite where there is no transform."""
    if first is None or second is None:
        return float("inf")
    return distance(np.array(first), np.array(second), tuple(size))


def _trials(rows: list[Row], errors: list[float]) -> Figures:
    return _agreeing(errors) | {
        "accepted": sum(r["accepted"] for r in rows),
        "accepted_once_led": sum(r["led"] for r in rows if r["accepted"]),
        "refused": _share(not r["accepted"] for r in rows),
    }


def _agreeing(errors: list[float]) -> Figures:
    return {**_spread(errors), "share_below_1": _share(e < 1 for e in errors)}


def _spread(values: Iterable[float]) -> Figures:
    some = list(values)
    if not some:
        return {"median": None, "p95": None, "worst": None}
    return {
        "median": _median(some), "p95": _three(np.quantile(some, 0.95)), "worst": _three(max(some))
    }  # fmt: skip


def _median(values: Sequence[float] | Floats64) -> float | None:
    return _three(np.median(values)) if len(values) else None


def _three(value: Any) -> float | None:
    """Three digits behind the point; None for what is not finite."""
    return round(float(value), 3) if value is not None and np.isfinite(value) else None


def _share(flags: Iterable[bool]) -> float | None:
    some = list(flags)
    return _three(np.mean(some)) if some else None


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value


def _pairs(of: dict[str, int]) -> str:
    return ", ".join(f"{k} {v}" for k, v in of.items())


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    body = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join("–" if c is None else str(c) for c in row) + " |" for row in body]


def _paragraphs(lines: list[str]) -> list[list[str]]:
    """Rows of one table stay together."""
    found: list[list[str]] = []
    for line in lines:
        if found and line.startswith("| ") and found[-1][-1].startswith("| "):
            found[-1].append(line)
        else:
            found.append([line])
    return found
