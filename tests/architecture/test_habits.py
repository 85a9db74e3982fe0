"""Habits that no linter knows: names, docstrings, and calls that only certain places may make."""

import ast
from pathlib import PurePosixPath

import pytest

from tests.architecture.source import (
    ROOT,
    Module,
    assembled_sql,
    bare_secrets,
    loose_tasks,
    modules,
    package_modules,
    prints,
    swallowing_handlers,
    unstable_cases,
)

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}

MAY_CATCH_EVERYTHING = {
    "src/farthing/background/supervisor.py": "a failed job must not take the others down",
    "src/farthing/gateway/recording.py": "a failed sink must not reach the caller or the other sinks",
    "src/farthing/http/errors.py": "the outermost layer turns what nobody expected into a clean 500",
}

PLAIN_THOUGH_NAMED_LIKE_SECRETS = {
    "src/farthing/cli/client.py:Gateway.key": "a command asks once with it and ends",
    "src/farthing/domain/exchange.py:Exchange.cache_key": "names a kept answer",
    "src/farthing/domain/tenancy.py:KeyChanges.keys": "what stands for keys, by digest",
    "src/farthing/gateway/call.py:Call.credential": "made for every request, which a wrapper would slow; repr omits it",
    "src/farthing/gateway/call.py:Directives.idempotency_key": "what a caller calls its request",
    "src/farthing/gateway/facts.py:Known.cache_key": "names a kept answer",
    "src/farthing/gateway/recording.py:Draft.cache_key": "names a kept answer",
    "src/farthing/gateway/snapshot.py:Snapshot.keys": "what stands for keys, by digest",
    "src/farthing/http/facts.py:Head.credential": "made for every request, which a wrapper would slow; repr omits it",
    "src/farthing/http/services.py:Services.new_secret": "makes secrets, and holds none",
    "src/farthing/ports/__init__.py:Filter.key": "a key's id",
    "src/farthing/ports/learning.py:Lesson.cache_key": "names a kept answer",
    "src/farthing/providers/vault.py:Vault.keys": "made into ciphers at once, and not kept",
    "src/farthing/settings/mistakes.py:Mistake.key": "the name of a setting",
}


def test_every_module_name_says_what_is_inside() -> None:
    """No module or package is named for being a collection of leftovers."""
    parts = {part for module in modules() for part in PurePosixPath(module.name).with_suffix("").parts}
    assert parts & NAMES_THAT_SAY_NOTHING == set()


def test_every_module_says_what_it_is_for() -> None:
    """Each module begins with a docstring."""
    assert [module.name for module in modules() if not ast.get_docstring(module.tree)] == []


def test_every_test_states_its_behaviour_in_one_line() -> None:
    """A test's docstring is a single line."""
    long_or_missing = [
        place
        for module in modules()
        for place, function in module.functions()
        if PurePosixPath(module.name).name.startswith("test_")
        and function.name.startswith("test_")
        and len((ast.get_docstring(function) or "\n").splitlines()) != 1
    ]
    assert long_or_missing == []


def test_unit_tests_mirror_the_package() -> None:
    """Whoever looks for the tests of a package finds them under the same path."""
    unit, package = ROOT / "tests" / "unit", ROOT / "src" / "farthing"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    strays = [
        str(folder)
        for folder in sorted(folders)
        if not (package / folder).is_dir() and not (package / folder).with_suffix(".py").is_file()
    ]
    assert strays == []


def test_only_outermost_places_catch_everything() -> None:
    """An unforeseen error is swallowed in three places only, elsewhere it is named or raised again."""
    inside = [module for module in package_modules() if module.name not in MAY_CATCH_EVERYTHING]
    assert [place for module in inside for place in swallowing_handlers(module)] == []


def test_only_the_command_line_prints() -> None:
    """Standard output belongs to the commands."""
    outside = [module for module in package_modules() if not module.name.startswith("src/farthing/cli/")]
    assert [place for module in outside for place in prints(module)] == []


def test_no_sql_is_put_together_from_strings() -> None:
    """Values reach a database as parameters, names through SQLAlchemy's own quoting."""
    assert [place for module in package_modules() for place in assembled_sql(module)] == []


def test_no_task_is_started_on_the_loop_itself() -> None:
    """Every task has an owner who sees it fail: the supervisor or a task group."""
    outside = [module for module in package_modules() if module.name != "src/farthing/background/supervisor.py"]
    assert [place for module in outside for place in loose_tasks(module)] == []


def test_every_process_names_the_same_cases() -> None:
    """Tests are shared out by name: no name is made of the time, of chance, or in a set's order."""
    assert [place for module in modules() for place in unstable_cases(module)] == []


def test_what_is_secret_is_of_a_type_that_says_so() -> None:
    """A field or a constructor's parameter named like a secret is a Secret, or stands above with its reason."""
    found = {place for module in package_modules() for place in bare_secrets(module)}
    assert found == set(PLAIN_THOUGH_NAMED_LIKE_SECRETS)


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        (swallowing_handlers, "try: ...\nexcept Exception: ...\n", 1),
        (swallowing_handlers, "try: ...\nexcept (ValueError, BaseException): ...\n", 1),
        (swallowing_handlers, "try: ...\nexcept: ...\n", 1),
        (swallowing_handlers, "try: ...\nexcept BaseException:\n undo()\n raise\n", 0),
        (swallowing_handlers, "try: ...\nexcept ValueError: ...\n", 0),
        (prints, "print('x')\n", 1),
        (prints, "console.print('x')\n", 0),
        (assembled_sql, "q = f'SELECT a FROM {t}'\n", 1),
        (assembled_sql, "q = f'SELECT {a} FROM t'\n", 1),
        (assembled_sql, "q = 'DELETE FROM t WHERE a = %s' % a\n", 1),
        (assembled_sql, "q = 'DROP TABLE ' + t\n", 1),
        (assembled_sql, "q = 'INSERT INTO {}'.format(t)\n", 1),
        (assembled_sql, "q = 'SELECT a FROM t'\nw = f'Nothing left in {t}'\n", 0),
        (loose_tasks, "asyncio.create_task(f())\n", 1),
        (loose_tasks, "self._loop.create_task(f())\n", 1),
        (loose_tasks, "asyncio.get_running_loop().create_task(f())\n", 1),
        (loose_tasks, "group.create_task(f())\n", 0),
        (unstable_cases, "@pytest.mark.parametrize('a', [gzip.compress(b'{}')])\ndef f(): ...\n", 1),
        (
            unstable_cases,
            "@pytest.mark.parametrize('a', [pytest.param(gzip.compress(b''), id='a')])\ndef f(): ...\n",
            0,
        ),
        (unstable_cases, "@pytest.mark.parametrize('a', {'x', 'y'})\ndef f(): ...\n", 1),
        (unstable_cases, "@pytest.mark.parametrize('a', [*{'x', 'y'}])\ndef f(): ...\n", 1),
        (unstable_cases, "@pytest.mark.parametrize('a', list(set(NAMES)))\ndef f(): ...\n", 1),
        (unstable_cases, "@pytest.mark.parametrize('a', sorted({'x', 'y'}))\ndef f(): ...\n", 0),
        (unstable_cases, "@pytest.mark.parametrize('a', [({'x'}, 1)])\ndef f(): ...\n", 0),
        (bare_secrets, "class A:\n api_key: str | None = None\n", 1),
        (bare_secrets, "class A:\n def __init__(self, *, secret: bytes) -> None: ...\n", 1),
        (bare_secrets, "class A:\n api_key: Secret[str] | None\n password: SecretStr\n token: Token\n", 0),
        (bare_secrets, "class A:\n keyboard: str\n tokens_in: int\n", 0),
    ],
)
def test_each_rule_tells_good_from_bad(rule: object, text: str, found: int) -> None:
    """A rule reports the forbidden form and lets its allowed neighbour pass."""
    assert callable(rule)
    assert len(rule(Module.of("m.py", text))) == found
