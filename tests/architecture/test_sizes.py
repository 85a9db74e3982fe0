"""Nothing grows past what fits into a reader's head."""

import pytest

from tests.architecture.source import MAX_FILE_LINES, MAX_FUNCTION_LINES, Module, modules, oversized

EXCEPTIONS: dict[str, str] = {}
"""Place → why it may be over a bound. This list may only shrink."""


def test_files_functions_and_signatures_stay_within_bounds() -> None:
    """No file is over 400 lines, no function over 50 lines or 6 parameters, but for the exceptions above."""
    found = {place: size for module in modules() for place, size in oversized(module).items()}
    assert {place: size for place, size in found.items() if place not in EXCEPTIONS} == {}


def test_no_exception_outlives_its_need() -> None:
    """An exception whose place is within bounds again is struck from the list."""
    found = {place for module in modules() for place in oversized(module)}
    assert set(EXCEPTIONS) - found == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * MAX_FILE_LINES, {}),
        ("x = 1\n" * (MAX_FILE_LINES + 1), {"m.py": "401 lines"}),
        ("def f():\n" + " x = 1\n" * (MAX_FUNCTION_LINES - 1), {}),
        ("async def f():\n" + " x = 1\n" * MAX_FUNCTION_LINES, {"m.py:f": "51 lines"}),
        ("def f(a, b, c, *, d, e, f): ...\n", {}),
        ("def f(a, b, c, *, d, e, f, **g): ...\n", {"m.py:f": "7 parameters"}),
        ("class C:\n def m(self, a, b, c, d, e, f): ...\n", {}),
        ("class C:\n def __init__(self, *, a, b, c, d, e, f, g): ...\n", {}),
        ("class C:\n def __init__(self, a, *, b, c, d, e, f, g): ...\n", {"m.py:__init__": "7 parameters"}),
    ],
)
def test_each_bound_is_met_exactly(text: str, expected: dict[str, str]) -> None:
    """The rule lets the bound itself pass and reports one more."""
    assert oversized(Module.of("m.py", text)) == expected
