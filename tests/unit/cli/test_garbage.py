"""Garbage is looked for once the gateway is ready, and not among what the start has made."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from farthing.cli.garbage import postpone, resume


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Other tests keep their collector."""
    yield
    gc.unfreeze()
    gc.enable()


def test_what_the_start_made_is_left_alone() -> None:
    """Nothing is looked for before `resume`; then everything but what was there already."""
    early: list[object] = []
    postpone()
    assert not gc.isenabled()
    resume()
    late: list[object] = []
    watched = gc.get_objects()
    assert gc.isenabled()
    assert any(each is late for each in watched)
    assert not any(each is early for each in watched)
