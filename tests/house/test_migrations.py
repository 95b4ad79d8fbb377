"""Migrations are one line: numbered without gaps, each resting on the one before it."""

import ast
from pathlib import Path

import pytest

from gateway.store.database import MIGRATIONS

VERSIONS = sorted(
    path for path in (Path(MIGRATIONS) / "versions").glob("*.py") if path.name != "__init__.py"
)


def assigned(path: Path) -> dict[str, object]:
    """The plain values that a module assigns to names."""
    found: dict[str, object] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.AnnAssign):
            target = node.target
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
            found[target.id] = node.value.value
    return found


def test_numbers_are_unique_and_without_gaps() -> None:
    numbers = [path.name[:4] for path in VERSIONS]
    assert numbers == [f"{number:04}" for number in range(1, len(VERSIONS) + 1)]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_each_rests_on_the_one_before_it(path: Path) -> None:
    number = int(path.name[:4])
    names = assigned(path)
    assert names["revision"] == f"{number:04}"
    assert names["down_revision"] == (f"{number - 1:04}" if number > 1 else None)
