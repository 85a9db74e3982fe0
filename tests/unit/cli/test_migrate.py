"""farthing migrate."""

import json
from pathlib import Path

from tests.servers.command import Farthing


def test_the_schema_is_checked_and_brought_up_to_date(farthing: Farthing, tmp_path: Path) -> None:
    """--check only looks; without it what is missing is made, once."""
    url = f"sqlite:///{tmp_path}/x.db"
    check = farthing("migrate", "--check", DATABASE_URL=url)
    assert (check.status, check.out) == (1, "")
    assert check.err == f"farthing: the schema of {url} is behind: run `farthing migrate`\n"
    assert farthing("migrate", DATABASE_URL=url).out == f"{url}: brought up to date\n"
    assert farthing("migrate", DATABASE_URL=url).out == f"{url}: up to date\n"
    assert farthing("migrate", "--check", DATABASE_URL=url).status == 0


def test_json_tells_the_same(farthing: Farthing, tmp_path: Path) -> None:
    """Whether the schema is current, and whether this call changed it; the status is the same as without JSON."""
    url = f"sqlite:///{tmp_path}/x.db"
    found = [farthing("migrate", *options, "--json", DATABASE_URL=url) for options in (["--check"], [], ["--check"])]
    assert [said.status for said in found] == [1, 0, 0]
    assert [json.loads(said.out) for said in found] == [
        {"database": url, "is_current": False, "changed": False},
        {"database": url, "is_current": True, "changed": True},
        {"database": url, "is_current": True, "changed": False},
    ]
