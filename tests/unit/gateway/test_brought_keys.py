"""What a tenant asks is paid with the key that it brought, and with no other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.errors import UpstreamRejected, UpstreamUnauthorized
from farthing.domain.secrecy import Secret
from farthing.gateway.breaker import FAILURES_TO_OPEN
from farthing.providers.fake import answer, overload
from tests.unit.gateway.rig import Rig, chat, completion


def bring(rig: Rig, *, tenant: str = "acme", key: str | None = "sk-theirs") -> None:
    """The tenant has a key of its own for the provider."""
    snapshot = rig.snapshots.current
    secret = None if key is None else Secret(key)
    own = replace(snapshot.providers["fake"], api_key=secret, account=tenant, is_locked=key is None)
    rig.snapshots.swap(replace(snapshot, brought={(tenant, "fake"): own}))


def shown(rig: Rig) -> list[bytes]:
    """The keys that the provider was shown."""
    return [dict(request.headers)[b"authorization"] for request in rig.transport.requests]


async def test_a_tenants_key_is_used_for_its_requests_alone() -> None:
    """Another tenant's key changes nothing."""
    rig = Rig(lambda _: answer(completion()))
    bring(rig, tenant="bolt")
    await rig.ask(chat())
    bring(rig)
    await rig.ask(chat())
    assert shown(rig) == [b"Bearer sk-upstream", b"Bearer sk-theirs"]


async def test_a_locked_key_sends_nothing() -> None:
    """The tenant is told, and its request is in the ledger at no cost."""
    rig = Rig([])
    bring(rig, key=None)
    with pytest.raises(UpstreamUnauthorized, match="The key that this tenant brought for fake cannot be used"):
        await rig.ask(chat())
    assert rig.transport.requests == []
    [row] = rig.journal.settled
    assert (row.status, row.error_code, row.cost) == ("error", "upstream_auth_error", 0)


async def test_a_tenants_failures_are_its_own() -> None:
    """A key that its vendor has had enough of rests for its tenant, and nobody else."""
    rig = Rig(
        lambda request: overload() if b"theirs" in dict(request.headers)[b"authorization"] else answer(completion())
    )
    bring(rig)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(Exception, match=r"."):
            await rig.ask(chat())
    assert rig.breakers.of("fake for acme", "small").state == "open"
    assert rig.breakers.of("fake", "small").state == "closed"


async def test_a_vendor_that_repeats_the_key_is_not_repeated() -> None:
    """However little the key looks like one."""
    rig = Rig(lambda _: answer(b'{"error":{"message":"No such key: my word, friend."}}', status=400))
    bring(rig, key="my word, friend")
    with pytest.raises(UpstreamRejected) as caught:
        await rig.ask(chat())
    assert caught.value.message == "The provider rejected the request: No such key: [removed]."
