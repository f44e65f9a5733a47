"""Figures on simulated scenes compare only while the simulator stays what it was."""

import ast
import hashlib
import re
from pathlib import Path

from dllr.demo import VERSION

ROOT = Path(__file__).parents[2]


def code_alone(source: str) -> str:
    """The syntax tree without docstrings: comments, layout and explanations may be improved."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, ast.AST):
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first.value.value = ""
    return ast.dump(tree)


def digest() -> str:
    parts = [code_alone(path.read_text()) for path in sorted((ROOT / "dllr/demo").glob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def test_the_simulator_is_the_one_that_the_documentation_names() -> None:
    page = (ROOT / "docs/demo.md").read_text()
    named = dict(re.findall(r"^\| (\d+) \| `([0-9a-f]{16})` \|", page, re.MULTILINE))
    assert named.get(VERSION) == digest(), (
        f"the simulator has changed: raise VERSION in dllr/demo/__init__.py, and name {digest()} "
        "in docs/demo.md beside it; figures of older versions no longer compare"
    )


def test_explanations_may_change_and_code_may_not() -> None:
    one = 'def f():\n    """Old."""\n    return 1\n'
    assert code_alone(one) == code_alone(one.replace("Old", "New") + "# more\n")
    assert code_alone(one) != code_alone(one.replace("return 1", "return 2"))
