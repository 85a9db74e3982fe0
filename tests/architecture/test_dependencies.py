"""Few dependencies, each with a reason, each locked by hash from the public index."""

import re
import tomllib
from typing import Any

from tests.architecture.source import ROOT

MAX_CORE_DISTRIBUTIONS = 50


def packages() -> dict[str, dict[str, Any]]:
    """What uv.lock holds, by name."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return {package["name"]: package for package in lock["package"]}


def core_distributions() -> set[str]:
    """What `make setup` installs on Linux beside Farthing itself."""
    locked, seen, todo = packages(), set[tuple[str, str]](), [("farthing", "")]
    while todo:
        name, extra = todo.pop()
        if (name, extra) not in seen:
            seen.add((name, extra))
            its = locked[name]
            needed = its["optional-dependencies"][extra] if extra else its.get("dependencies", [])
            for dependency in needed:
                if "win32" not in dependency.get("marker", ""):
                    todo += [(dependency["name"], extra) for extra in ("", *dependency.get("extra", ()))]
    return {name for name, _ in seen} - {"farthing"}


def declared() -> set[str]:
    """Every dependency that pyproject.toml names itself, in groups and extras too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    lists += settings["dependency-groups"].values()
    return {re.split(r"[\[<>=!~; ]", requirement)[0] for requirements in lists for requirement in requirements}


def test_every_dependency_has_its_reason() -> None:
    """docs/dependencies.md has one row for each declared dependency, and none for others."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)) == declared()


def test_the_core_install_stays_small() -> None:
    """The gateway alone needs at most 50 distributions."""
    assert len(core_distributions()) <= MAX_CORE_DISTRIBUTIONS


def test_every_archive_is_locked_by_hash_from_the_public_index() -> None:
    """No private index stands in the lock file, and no archive without its SHA-256."""
    others = {name: package for name, package in packages().items() if name != "farthing"}
    assert {package["source"]["registry"] for package in others.values()} == {"https://pypi.org/simple"}
    archives = [
        archive
        for package in others.values()
        for archive in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
    ]
    assert [archive["url"] for archive in archives if not archive["hash"].startswith("sha256:")] == []
    assert {archive["url"].split("/")[2] for archive in archives} == {"files.pythonhosted.org"}
