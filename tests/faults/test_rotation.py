"""S42: the key under which tenants' own provider keys are sealed is replaced while their requests go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from secrets import token_bytes

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.credentials import Bond, Credential, hint_of, origin_of
from farthing.domain.ids import uuid7
from farthing.domain.secrecy import Secret
from farthing.providers.vault import Vault, sealing_key
from farthing.store import Store, open_store
from tests.faults.rig.load import Load, standard
from tests.faults.rig.site import Rig, Site
from tests.servers.gateway import Gateway

OLD, NEW = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))
RATE = 50.0
KEYS = 1_000


def key_of(tenant: str) -> str:
    """What the tenant pays its vendor with."""
    return f"sk-own-key-of-{tenant}"


async def bring(store: Store, tenants: list[str], origin: str) -> None:
    """A key for each of them, sealed under the old one."""
    vault, now_us = Vault([sealing_key(OLD)], chance=token_bytes), SystemClock().now_us()
    for number, tenant in enumerate(tenants):
        bond, secret = Bond(tenant, uuid7(now_us, number), origin), key_of(tenant)
        credential = Credential(
            bond=bond,
            provider="a",
            sealed=vault.seal(Secret(secret), bond),
            hint=hint_of(secret),
            created_at_us=now_us,
        )
        await store.credentials.put(credential)


def reseal(gateway: Gateway) -> str:
    """What `farthing credentials reseal` says, run beside the gateway with its settings."""
    program, file = Path(sys.executable).with_name("farthing"), gateway.folder / "farthing.toml"
    command: list[str | Path] = [program, "credentials", "--config", file, "reseal"]
    return subprocess.check_output(command, env=gateway.environment, text=True, timeout=120).strip()


async def paid_with(rig: Rig, site: Site) -> set[tuple[str, str]]:
    """The tenants of all requests that the vendor has seen, each with the key that it was shown."""
    tenants = {holder.tenant for holder in site.holders}
    return {
        (tenant, entry.key.removeprefix("Bearer "))
        for entry in rig.vendors.entries().values()
        for tenant in tenants
        if entry.nonce.endswith(f"-{tenant}")
    }


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_sealing_every_key_anew_fails_no_request(rig: Rig, postgres_database: str) -> None:
    """Both keys are configured while it lasts; afterwards the new one is enough, and each tenant pays with its own."""
    both = {"FARTHING_ENCRYPTION_KEY": f"{NEW}, {OLD}"}
    site = await rig.start(postgres_database, workers=2, keys=8, environment=both)
    callers = sorted({holder.tenant for holder in site.holders})
    others = [f"other{place}" for place in range(KEYS - len(callers))]
    store = open_store(postgres_database, clock=SystemClock())
    try:
        await bring(store, [*callers, *others], origin_of(f"http://127.0.0.1:{rig.vendors.port}"))
        await asyncio.sleep(2)
        load = Load(site.ports, standard(site.holders, cached=0.0), rate=RATE, seed=rig.seed)
        async with load.running():
            await asyncio.sleep(2)
            began = time.monotonic()
            said = await asyncio.to_thread(reseal, site.gateway)
            took = time.monotonic() - began
            await asyncio.sleep(2)
        newest = Vault([sealing_key(NEW)], chance=token_bytes)
        kept = await store.credentials.list()
    finally:
        await store.aclose()
    assert said == f"{KEYS} keys are sealed anew"
    assert {newest.open(each.sealed, each.bond).reveal() for each in kept} == {
        key_of(each.bond.tenant) for each in kept
    }
    failed = [each for each in load.heard if not each.is_complete]
    assert failed == []
    await asyncio.to_thread(site.gateway.stop)
    site.gateway.environment = {**(site.gateway.environment or {}), "FARTHING_ENCRYPTION_KEY": NEW}
    await asyncio.to_thread(site.gateway.start)
    after = Load(site.ports, standard(site.holders, cached=0.0, tag="after"), rate=RATE, seed=rig.seed)
    async with after.running():
        await asyncio.sleep(1)
    assert [each for each in after.heard if not each.is_complete] == []
    assert await paid_with(rig, site) == {(tenant, key_of(tenant)) for tenant in callers}
    rig.tell(
        "S42",
        f"{KEYS} keys sealed anew within {took:.1f} s (command and all) at {RATE:.0f} requests/s: {len(load.heard)} "
        f"requests, 0 failed; with the new key alone {len(after.heard)} more, 0 failed; each is paid with its tenant's",
    )
