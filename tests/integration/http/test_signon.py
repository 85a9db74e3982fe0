"""A browser signs on at a running gateway, through an identity provider that speaks real OpenID Connect."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from tests.faults.rig.cluster import workers
from tests.faults.rig.load import until
from tests.servers.gateway import Gateway, running
from tests.servers.identity import IdentityServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "http://farthing.test"
"""Where browsers believe the gateway to be: a proxy stands before it."""
ORIGIN = {"origin": PUBLIC}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[tuple[IdentityServer, Gateway]]:
    """A demo with two workers, and who vouches for people there."""
    async with IdentityServer() as identity:
        settings = f"""
            [oidc]
            issuer = "{identity.issuer}"
            client_id = "{identity.client_id}"
            public_url = "{PUBLIC}"
            tenant = "acme"
            [oidc.roles]
            finops = "auditor"
            platform = "org_admin"
            """
        environment = {"FARTHING_DEMO": "1", "FARTHING_OIDC_CLIENT_SECRET": identity.client_secret}
        with running(settings, workers=2, environment=environment) as gateway:
            yield identity, gateway


@pytest.fixture
def identity(house: tuple[IdentityServer, Gateway]) -> IdentityServer:
    """Vouches for Ada, who is in finance."""
    house[0].person["groups"] = ["finops"]
    return house[0]


async def read(_: object, __: object, ended: aiohttp.TraceRequestEndParams) -> None:
    """Reads an answer to its end, as a connection is let go of then."""
    await ended.response.read()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(
    house: tuple[IdentityServer, Gateway], identity: IdentityServer
) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies, reads every answer, and opens a connection for each request so that both workers are met."""
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(read)
    async with aiohttp.ClientSession(
        house[1].url,
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        connector=aiohttp.TCPConnector(force_close=True),
        trace_configs=[trace],
    ) as browser:
        yield browser


async def call(browser: aiohttp.ClientSession, method: str, path: str, **more: Any) -> aiohttp.ClientResponse:
    """An answer that has been read to its end; redirects are not followed."""
    response = await browser.request(method, path, allow_redirects=False, **more)
    await response.read()
    return response


async def sign_on(browser: aiohttp.ClientSession, goal: str = "/session") -> aiohttp.ClientResponse:
    """The way to the identity provider and back, as the proxy would pass it on; the last answer is not followed."""
    away = await call(browser, "GET", "/login", params={"next": goal})
    assert away.status == 302
    async with aiohttp.ClientSession() as elsewhere:
        back = await call(elsewhere, "GET", away.headers["location"])
    returned = urlsplit(back.headers["location"])
    assert f"{returned.scheme}://{returned.netloc}" == PUBLIC
    return await call(browser, "GET", f"{returned.path}?{returned.query}")


async def test_a_person_signs_on_works_and_leaves(browser: aiohttp.ClientSession) -> None:
    """On whichever worker; the cookie is out of reach for scripts, and worth nothing afterwards."""
    assert (await call(browser, "GET", "/session")).status == 401
    entered = await sign_on(browser, "/session?a=b")
    assert (entered.status, entered.headers["location"]) == (302, "/session?a=b")
    cookies = [value for name, value in entered.headers.items() if name.lower() == "set-cookie"]
    [session] = [cookie for cookie in cookies if cookie.startswith("farthing=")]
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"} <= set(session.split("; "))
    for _ in range(10):
        assert await (await call(browser, "GET", "/session")).json() == {
            "tenant": "acme",
            "team": None,
            "user": "ada@example.com",
            "role": "auditor",
        }
    assert (await call(browser, "GET", "/admin/keys")).status == 200
    secret = session.partition("=")[2].partition(";")[0]
    assert (await call(browser, "POST", "/logout", headers=ORIGIN)).status == 204
    await asyncio.sleep(1)
    for _ in range(10):
        stolen = await call(browser, "GET", "/session", headers={"cookie": f"farthing={secret}"})
        assert stolen.status == 401


async def test_a_session_does_what_its_role_may_and_no_more(
    browser: aiohttp.ClientSession, identity: IdentityServer
) -> None:
    """An auditor reads; an org admin makes keys, from our own pages only; nobody asks a model by cookie."""
    await sign_on(browser)
    key = {"name": "made by Ada"}
    assert (await call(browser, "POST", "/admin/keys", json=key, headers=ORIGIN)).status == 403
    identity.person["groups"] = ["platform"]
    await sign_on(browser)
    for headers in ({}, {"origin": "null"}, {"origin": "http://evil.test"}, {"origin": f"{PUBLIC}.evil.test"}):
        foreign = await call(browser, "POST", "/admin/keys", json=key, headers=headers)
        assert foreign.status == 403, headers
    made = await call(browser, "POST", "/admin/keys", json=key, headers=ORIGIN)
    assert made.status == 201, await made.text()
    listed = await (await call(browser, "GET", "/admin/keys")).json()
    assert [each["name"] for each in listed["data"]] == ["made by Ada"]
    question = {"model": "demo/small", "messages": [{"role": "user", "content": "Hello"}]}
    assert (await call(browser, "POST", "/v1/chat/completions", json=question, headers=ORIGIN)).status == 401


async def test_a_session_sees_figures_live(browser: aiohttp.ClientSession) -> None:
    """From our own pages; without a session nobody does."""
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await browser.ws_connect("/metrics/live")
    await sign_on(browser)
    async with browser.ws_connect("/metrics/live") as socket:
        told = await socket.receive_json()
    assert set(told) >= {"total_decisions", "timestamp", "sequence"}
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await browser.ws_connect("/metrics/live", origin="http://evil.test")


async def test_a_key_beside_a_cookie_is_what_counts(browser: aiohttp.ClientSession) -> None:
    """A wrong one is not helped by the session."""
    await sign_on(browser)
    wrong = await call(browser, "GET", "/session", headers={"authorization": "Bearer sk-farthing-wrong"})
    assert wrong.status == 401


async def test_an_answer_to_no_attempt_opens_nothing(browser: aiohttp.ClientSession) -> None:
    """In the envelope, without a word from the identity provider's side."""
    for query in ("", "?error=access_denied&state=x", "?code=x&state=y", "?code=" + "x" * 5000, "?code=x"):
        response = await call(browser, "GET", f"/login/callback{query}")
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "sign_on_failed"


async def test_without_an_identity_provider_there_is_no_way_in() -> None:
    """It says what to do."""
    with running("", environment={"FARTHING_DEMO": "1"}) as gateway:
        async with aiohttp.ClientSession(gateway.url) as browser:
            for method, path in (("GET", "/login"), ("GET", "/login/callback?code=x"), ("POST", "/logout")):
                response = await call(browser, method, path)
                assert (response.status, (await response.json())["error"]["code"]) == (404, "sign_on_off")


PLACES = """
    [oidc]
    issuer = "{issuer}"
    client_id = "{client_id}"
    public_url = "http://farthing.test"
    default_role = "member"
    [oidc.roles]
    acme-leads = "org_admin"
    bolt-leads = "org_admin"
    [oidc.places]
    acme-leads = "acme"
    acme-support = "acme/support"
    bolt-leads = "bolt"
    """


class People:
    """Who come to one gateway, each with a browser of their own and with groups that change."""

    def __init__(self, identity: IdentityServer, gateway: Gateway) -> None:
        self._identity = identity
        self._gateway = gateway
        self.browsers: list[aiohttp.ClientSession] = []

    async def come(self, name: str, *groups: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientResponse]:
        """A fresh browser in which somebody has tried to sign on, and what they were told."""
        self._identity.person = {"sub": name, "email": f"{name}@example.com", "email_verified": True}
        self._identity.person["groups"] = list(groups)
        browser = aiohttp.ClientSession(
            self._gateway.url,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            connector=aiohttp.TCPConnector(force_close=True),
        )
        self.browsers.append(browser)
        return browser, await sign_on(browser)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people() -> AsyncIterator[People]:
    """Of two tenants, on two workers."""
    async with IdentityServer() as identity:
        settings = PLACES.format(issuer=identity.issuer, client_id=identity.client_id)
        environment = {"FARTHING_DEMO": "1", "FARTHING_OIDC_CLIENT_SECRET": identity.client_secret}
        with running(settings, workers=2, environment=environment) as gateway:
            people = People(identity, gateway)
            yield people
            for browser in people.browsers:
                await browser.close()


async def place(browser: aiohttp.ClientSession) -> tuple[str, str | None, str]:
    """Tenant, team and role of whoever sits there."""
    told = await (await call(browser, "GET", "/session")).json()
    return told["tenant"], told["team"], told["role"]


async def test_groups_put_people_into_tenants_that_see_nothing_of_each_other(people: People) -> None:
    """Not keys, not people, not teams; what is another's does not exist, and nothing is made there."""
    ada, _ = await people.come("ada", "acme-leads")
    bob, _ = await people.come("bob", "bolt-leads")
    carl, _ = await people.come("carl", "acme-support", "bolt-leads")
    assert await place(ada) == ("acme", None, "org_admin")
    assert await place(bob) == ("bolt", None, "org_admin")
    assert await place(carl) == ("acme", "support", "member")
    made = await (await call(ada, "POST", "/admin/keys", json={"name": "of acme"}, headers=ORIGIN)).json()
    listed = [await (await call(each, "GET", "/admin/people")).json() for each in (ada, bob)]
    emails = [[person["email"] for person in page["data"]] for page in listed]
    assert emails == [["ada@example.com", "carl@example.com"], ["bob@example.com"]]
    foreign = [f"/admin/keys/{made['key_id']}", *(f"/admin/people/{each['person_id']}" for each in listed[0]["data"])]
    for path in foreign:
        assert (await call(ada, "GET", path)).status == 200
        assert (await call(bob, "GET", path)).status == 404
        assert (await call(bob, "PATCH", path, json={"is_blocked": True}, headers=ORIGIN)).status == 404
    assert (await (await call(bob, "GET", "/admin/keys")).json())["data"] == []
    teams = [(await (await call(each, "GET", "/admin/teams")).json())["data"] for each in (ada, bob)]
    assert [[team["team"] for team in found] for found in teams] == [["support"], []]
    beyond = {"name": "x", "tenant": "acme"}
    assert (await call(bob, "POST", "/admin/keys", json=beyond, headers=ORIGIN)).status == 403
    assert (await call(carl, "GET", "/admin/people")).status == 403


async def test_who_changes_groups_is_moved_and_the_session_before_is_over(people: People) -> None:
    """On every worker within a second; a socket that showed the old tenant's figures is closed."""
    before, _ = await people.come("dora", "acme-leads")
    assert await place(before) == ("acme", None, "org_admin")
    async with before.ws_connect("/metrics/live") as socket:
        await socket.receive_json()
        after, _ = await people.come("dora", "bolt-leads")
        while (said := await socket.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert said.type is aiohttp.WSMsgType.CLOSE
    await asyncio.sleep(1)
    for _ in range(10):
        assert (await call(before, "GET", "/session")).status == 401
        assert await place(after) == ("bolt", None, "org_admin")
    known = (await (await call(after, "GET", "/admin/people")).json())["data"]
    assert ("dora@example.com", "bolt") in {(each["email"], each["tenant"]) for each in known}


async def test_who_has_no_group_with_a_place_is_refused(people: People) -> None:
    """New or known; the message says what to do, and the browser gets no session."""
    await people.come("eve", "acme-support")
    for name in ("eve", "mallory"):
        browser, refused = await people.come(name, "strangers")
        error = (await refused.json())["error"]
        assert (refused.status, error["code"]) == (403, "sign_on_failed")
        assert "[oidc.places]" in error["message"]
        assert (await call(browser, "GET", "/session")).status == 401
    ada, _ = await people.come("ada", "acme-leads")
    known = (await (await call(ada, "GET", "/admin/people")).json())["data"]
    assert "mallory@example.com" not in {person["email"] for person in known}


async def test_a_changed_role_holds_after_sighup(
    house: tuple[IdentityServer, Gateway], browser: aiohttp.ClientSession
) -> None:
    """Sessions stay, who watched the figures is told to come back and goes on where they were, roles are the new."""
    gateway, file = house[1], house[1].folder / "farthing.toml"
    await sign_on(browser)
    async with browser.ws_connect("/metrics/live") as socket:
        last = (await socket.receive_json())["sequence"]
        old = set(workers(gateway))
        file.write_text(file.read_text().replace('finops = "auditor"', 'finops = "org_admin"'))
        os.kill(gateway.pid, signal.SIGHUP)
        while (said := await socket.receive(timeout=60)).type is aiohttp.WSMsgType.TEXT:
            last += 1
    assert (said.type, said.data) == (aiohttp.WSMsgType.CLOSE, 1012)
    await until(lambda: old.isdisjoint(workers(gateway)), within_s=60)
    assert (await (await call(browser, "GET", "/session")).json())["role"] == "auditor"
    async with browser.ws_connect(f"/metrics/live?sequence={last - 1}") as socket:
        assert (await socket.receive_json(timeout=60))["sequence"] >= last
    await sign_on(browser)
    assert (await (await call(browser, "GET", "/session")).json())["role"] == "org_admin"
