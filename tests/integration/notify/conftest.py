"""A mail server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.notify.letterbox import Letterbox


@pytest.fixture
def letterbox() -> Letterbox:
    """Nothing in it."""
    return Letterbox()


@pytest.fixture
def port(letterbox: Letterbox) -> Iterator[int]:
    """Where the letterbox is served."""
    with letterbox.serving() as port:
        yield port
