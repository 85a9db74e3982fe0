"""Who comes in, and what those who do not are told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.errors import Forbidden, Unauthenticated, Unavailable
from farthing.domain.keys import LOCAL_CALLER, Caller, Key
from farthing.domain.secrets import PREFIX, digest, mint
from farthing.gateway.admission import admit, check_model
from tests.unit.gateway.rig import KEY, Rig

SNAPSHOT = Rig([]).snapshots.current
WELL_FORMED = mint(bytes(32))


def test_a_known_key_is_its_caller() -> None:
    """The caller is the one the key was made for."""
    assert admit(SNAPSHOT, KEY, 0) == Caller(tenant="acme", key_id="k1")


@pytest.mark.parametrize("credential", ["sk-unknown", "", "ä", "x" * 1_000_000, "' OR 1=1 --", WELL_FORMED])
def test_every_wrong_key_is_told_the_same(credential: str) -> None:
    """Nothing in the answer tells one wrong key from another."""
    with pytest.raises(Unauthenticated) as caught:
        admit(SNAPSHOT, credential, 0)
    with pytest.raises(Unauthenticated) as other:
        admit(SNAPSHOT, "sk-another", 0)
    assert (caught.value.message, caught.value.code) == (other.value.message, "invalid_api_key")


def test_no_key_is_told_where_to_put_one() -> None:
    """A missing key has a code of its own."""
    with pytest.raises(Unauthenticated) as caught:
        admit(SNAPSHOT, None, 0)
    assert caught.value.code == "missing_api_key"


@pytest.mark.parametrize("credential", [None, "sk-anything"])
def test_an_open_gateway_takes_everybody(credential: str | None) -> None:
    """SDKs always send some key; on a laptop any will do."""
    assert admit(replace(SNAPSHOT, is_open=True, keys={}), credential, 0) is LOCAL_CALLER


@pytest.mark.parametrize("credential", [WELL_FORMED, "sk-anything", "' OR 1=1 --", "a; DROP TABLE keys", None])
def test_nobody_is_called_wrong_before_the_keys_are_known(credential: str | None) -> None:
    """While the key store is away, who is not known is asked to wait."""
    with pytest.raises(Unavailable) as caught:
        admit(replace(SNAPSHOT, keys_known=False), credential, 0)
    assert (caught.value.code, caught.value.retry_after) == ("auth_unavailable", 2)
    assert admit(replace(SNAPSHOT, keys_known=False), KEY, 0).tenant == "acme"


@pytest.mark.parametrize(
    ("is_blocked", "expires_at_us", "code"),
    [(True, None, "invalid_api_key"), (False, 1_000, "key_expired"), (True, 1_000, "invalid_api_key")],
)
def test_a_blocked_or_expired_key_does_not_open(is_blocked: bool, expires_at_us: int | None, code: str) -> None:
    """An expired key is told so, a blocked one is like none."""
    key = Key(caller=Caller(tenant="t"), name="n", hint="…", is_blocked=is_blocked, expires_at_us=expires_at_us)
    with pytest.raises(Unauthenticated) as caught:
        admit(replace(SNAPSHOT, keys={digest("old"): key}), "old", 1_000)
    assert caught.value.code == code


@pytest.mark.parametrize("credential", [WELL_FORMED[:-1], WELL_FORMED[:-1] + "_", PREFIX])
def test_a_typing_error_is_one_whoever_is_away(credential: str) -> None:
    """Its checksum tells, so nobody is asked to come back for it."""
    with pytest.raises(Unauthenticated) as caught:
        admit(replace(SNAPSHOT, keys_known=False), credential, 0)
    assert caught.value.code == "invalid_api_key"


def test_an_auditor_asks_no_models() -> None:
    """It is told so, rather than that there are none."""
    with pytest.raises(Forbidden):
        check_model(Caller(tenant="t", role="auditor"), "small")
    check_model(Caller(tenant="t", role="team_admin"), "small")


def test_a_key_opens_until_it_expires() -> None:
    """The moment of expiry is the first one that is too late."""
    key = Key(caller=Caller(tenant="t"), name="n", hint="…", expires_at_us=1_000)
    assert admit(replace(SNAPSHOT, keys={digest("new"): key}), "new", 999).tenant == "t"


def test_who_is_on_a_plan_that_is_not_known_asks_no_models() -> None:
    """It is told the plan and who can mend it; whatever bounds it otherwise is not asked."""
    with pytest.raises(
        Forbidden, match=r"the plan 'gold', which .* \[plans\.NAME\] .* \(`farthing tenants set`"
    ) as caught:
        check_model(Caller(tenant="t", unknown_plan="gold"), "small")
    assert (caught.value.status, caught.value.code) == (403, "unknown_plan")
