"""What the code says of its migrations is true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from farthing.store import migrations

FOLDER = Path(migrations.__file__).parent
VERSIONS = sorted((FOLDER / "versions").glob("*.py"))
DESTRUCTIVE = ("drop", "truncate", "delete from")


def destructive(tree: ast.Module) -> list[str]:
    """Names and texts outside `downgrade` that take something away."""
    kept = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == "downgrade")]
    words = [
        node.attr if isinstance(node, ast.Attribute) else str(node.value)
        for part in kept
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute | ast.Constant)
    ]
    return [word for word in words if any(taken in word.lower() for taken in DESTRUCTIVE)]


def test_every_revision_is_known_in_order() -> None:
    """The list that spares most starts the import of Alembic is the one Alembic finds."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_no_upgrade_takes_anything_away(path: Path) -> None:
    """Only a downgrade drops, truncates or deletes."""
    assert destructive(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def upgrade():\n op.drop_table('t')\n", ["drop_table"]),
        ("def upgrade():\n op.execute('TRUNCATE t')\n", ["TRUNCATE t"]),
        ("def downgrade():\n op.drop_table('t')\n", []),
        ("def upgrade():\n op.create_table('t')\n", []),
    ],
)
def test_the_rule_tells_good_from_bad(text: str, found: list[str]) -> None:
    """A drop is seen where it must not be, and only there."""
    assert destructive(ast.parse(text)) == found


def test_opening_a_store_does_not_load_alembic() -> None:
    """Alembic takes half a second to import, and most starts have nothing to migrate."""
    check = "import sys, farthing.store; print(sorted({'alembic', 'asyncpg', 'aiosqlite'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
