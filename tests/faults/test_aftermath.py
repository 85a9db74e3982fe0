"""What a row leaves behind is seen: an oracle that finds nothing wrong with anything would be no proof."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from contextlib import closing

import pytest

from tests.faults.rig import aftermath
from tests.faults.rig.aftermath import LOGGED_BYTES, TOLD_BYTES, ended, remains, still_held, still_open
from tests.faults.rig.load import Ask, send
from tests.faults.rig.site import Rig
from tests.faults.rig.words import Wish


async def test_what_a_row_leaves_behind_is_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money, connections, processes, secrets, long logs and a bad end; and nothing where all is well."""
    monkeypatch.setattr(aftermath, "RELEASED_S", 0.2)
    monkeypatch.setattr(aftermath, "GONE_S", 0.5)
    site = await rig.start(keys=1)
    gateway, [holder] = site.gateway, site.holders
    assert (await send(Ask(user="u", wish=Wish(nonce="n"), holder=holder), gateway.port)).is_complete
    lease = sqlite3.connect(gateway.folder / "farthing.db")
    with closing(lease), lease:
        lease.execute("INSERT INTO budget_leases VALUES ('b', 0, 'w', 7, 0)")
        lease.commit()
        assert await still_held(site) == ["O3: 7 nano-dollars still held after 0 s"]
        lease.execute("DELETE FROM budget_leases")
    with socket.create_connection(("127.0.0.1", gateway.port)) as kept:
        # Once it is answered it has been taken in.
        kept.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b" 200 " in kept.recv(4096)
        assert await still_open([gateway]) == ["O7: 1 connections of clients that have gone"]
    assert await remains(site) == []
    stray = await asyncio.create_subprocess_exec("sleep", "60", cwd=gateway.folder)
    assert await ended([gateway]) == [f"O9: processes [{stray.pid}] are left"]
    stray.kill()
    await stray.wait()
    log = gateway.log.read_bytes()
    gateway.log.write_bytes(log + holder.secret.encode())
    assert await ended([gateway], [holder]) == [f"O5: the key of {holder.key_id} in the log"]
    gateway.log.write_bytes(bytes(TOLD_BYTES + LOGGED_BYTES + 1))
    assert await ended([gateway], rows=1) == [f"O8: {TOLD_BYTES + LOGGED_BYTES + 1} bytes of logs about 1 requests"]
    gateway.log.write_bytes(log)
    gateway.statuses.append(1)
    assert await ended([gateway]) == ["O9: ended with 1"]
    gateway.statuses.pop()
