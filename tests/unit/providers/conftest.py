"""Tests of this folder run in virtual time, without a socket."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.faultserver.virtual import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each coroutine runs on a loop whose clock jumps."""
    return {"virtual": VirtualLoop}
