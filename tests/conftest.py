"""What every test may ask for: real servers, and no network beyond this machine."""

import ipaddress
import os
import socket

import hypothesis
import pytest

pytest_plugins = [
    "tests.servers.postgres",
    "tests.servers.pgbouncer",
    "tests.servers.redis",
    "tests.servers.sqlite",
    "tests.servers.gateway",
    "tests.servers.command",
    "tests.faults.rig.plugin",
]

# Machines differ in speed: pytest-timeout ends what hangs. In CI a failure must be the change's, not the dice's.
hypothesis.settings.register_profile("farthing", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("farthing")


Address = tuple[str, int] | tuple[str, int, int, int] | str | bytes


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that opens a network connection fails, and so does any test that leaves this machine."""
    unit = "unit" in request.path.relative_to(request.config.rootpath).parts
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Address) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            assert not unit, (
                f"a unit test connects to {address!r}: use the port's fake, or move it to tests/integration"
            )
            assert ipaddress.ip_address(str(address[0])).is_loopback, (
                f"a test connects to {address!r}, off this machine"
            )
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
