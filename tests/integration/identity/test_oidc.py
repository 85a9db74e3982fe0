"""What an identity provider must prove, against one that speaks the protocol over a socket."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from farthing.background.clock import SystemClock
from farthing.domain.errors import Unauthenticated, Unavailable
from farthing.domain.secrecy import Secret
from farthing.domain.signon import Attempt
from farthing.identity.oidc import Client, OpenIdProvider
from farthing.providers.transport import HttpTransport
from tests.servers.identity import Claims, IdentityServer

ATTEMPT = Attempt(state="the state", nonce="the nonce", verifier="v" * 43)
REDIRECT = "http://127.0.0.1:8000/login/callback"
OTHER = RSAKey.generate_key(2048, {"kid": "other"})


class TurnedClock(SystemClock):
    """The machine's clock, some seconds on."""

    ahead = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.ahead


@pytest.fixture
async def server() -> AsyncIterator[IdentityServer]:
    """An identity provider that vouches for Ada."""
    async with IdentityServer() as server:
        yield server


@pytest.fixture
def clock() -> TurnedClock:
    """The provider's clock as we see it."""
    return TurnedClock()


@pytest.fixture
async def provider(server: IdentityServer, clock: TurnedClock) -> AsyncIterator[OpenIdProvider]:
    """What is tested."""
    transport = HttpTransport()
    client = Client(
        issuer=server.issuer,
        client_id=server.client_id,
        client_secret=Secret(server.client_secret),
        redirect_url=REDIRECT,
    )
    yield OpenIdProvider(client, transport=transport, clock=clock)
    await transport.aclose()


async def code_of(provider: OpenIdProvider, attempt: Attempt = ATTEMPT) -> str:
    """What the browser brings back."""
    async with aiohttp.ClientSession() as browser:
        response = await browser.get(await provider.authorization_url(attempt), allow_redirects=False)
    query = parse_qs(urlsplit(response.headers["location"]).query)
    assert query["state"] == [attempt.state]
    return query["code"][0]


async def test_a_person_is_vouched_for(server: IdentityServer, provider: OpenIdProvider) -> None:
    """By a code, its verifier and the client's secret; a code is good once."""
    code = await code_of(provider)
    identity = await provider.redeem(code, ATTEMPT)
    assert (identity.issuer, identity.subject) == (server.issuer, "ada-1")
    assert (identity.email, identity.name) == ("ada@example.com", "Ada")
    with pytest.raises(Unauthenticated, match="did not accept the code"):
        await provider.redeem(code, ATTEMPT)


async def test_the_secret_goes_where_the_provider_wants_it(server: IdentityServer, provider: OpenIdProvider) -> None:
    """Into the body for one that takes it nowhere else."""
    server.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await provider.redeem(await code_of(provider), ATTEMPT)).subject == "ada-1"


async def test_an_unverified_address_is_none(server: IdentityServer, provider: OpenIdProvider) -> None:
    """Anybody may claim one."""
    server.person["email_verified"] = False
    assert (await provider.redeem(await code_of(provider), ATTEMPT)).email is None


async def test_another_browsers_code_is_worth_nothing(provider: OpenIdProvider) -> None:
    """Whoever steals a code lacks its verifier."""
    thief = Attempt(state="s", nonce=ATTEMPT.nonce, verifier="w" * 43)
    with pytest.raises(Unauthenticated, match="did not accept the code"):
        await provider.redeem(await code_of(provider), thief)


CLAIMS: dict[str, Callable[[Claims], Claims]] = {
    "another issuer": lambda claims: {**claims, "iss": "https://evil.example"},
    "an issuer that only begins alike": lambda claims: {**claims, "iss": f"{claims['iss']}/"},
    "another audience": lambda claims: {**claims, "aud": "somebody"},
    "several audiences and no party": lambda claims: {**claims, "aud": ["farthing", "somebody"]},
    "another party": lambda claims: {**claims, "azp": "somebody"},
    "no audience": lambda claims: {**claims, "aud": []},
    "another nonce": lambda claims: {**claims, "nonce": "another"},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "a nonce that is no text": lambda claims: {**claims, "nonce": 1},
    "expired": lambda claims: {**claims, "exp": claims["iat"] - 61},
    "no end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "an end that is no number": lambda claims: {**claims, "exp": "9999999999"},
    "an end that is true": lambda claims: {**claims, "exp": True},
    "made in the future": lambda claims: {**claims, "iat": claims["iat"] + 3600},
    "good from tomorrow": lambda claims: {**claims, "nbf": claims["iat"] + 86_400},
    "nobody": lambda claims: {**claims, "sub": ""},
    "no subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "a subject that is no text": lambda claims: {**claims, "sub": 1},
    "an endless subject": lambda claims: {**claims, "sub": "x" * 256},
}


@pytest.mark.parametrize("wrong", CLAIMS)
async def test_a_token_that_was_not_made_for_this_is_refused(
    server: IdentityServer, provider: OpenIdProvider, wrong: str
) -> None:
    """However well it is signed."""
    server.sign = lambda claims: server.token(CLAIMS[wrong](claims))
    with pytest.raises(Unauthenticated, match="was not made for this gateway"):
        await provider.redeem(await code_of(provider), ATTEMPT)


def part(value: Any) -> str:
    """A part of a token, by hand."""
    text = value if isinstance(value, str) else json.dumps(value)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def with_payload(server: IdentityServer, text: str) -> str:
    """A token over a payload that no library would write, signed as it should be."""
    from joserfc import jws

    return jws.serialize_compact({"alg": "RS256", "kid": server.key.kid}, text, server.key)


SIGNATURES: dict[str, Callable[[IdentityServer, Claims], str]] = {
    "none": lambda _, claims: f"{part({'alg': 'none'})}.{part(claims)}.",
    "None": lambda _, claims: f"{part({'alg': 'None'})}.{part(claims)}.",
    "nOnE with the key's name": lambda s, claims: f"{part({'alg': 'nOnE', 'kid': s.key.kid})}.{part(claims)}.",
    "its public key as a shared secret": lambda s, claims: jwt.encode(
        {"alg": "HS256", "kid": s.key.kid}, claims, OctKey.import_key(s.key.as_pem(private=False)), algorithms=["HS256"]
    ),
    "another key under its name": lambda s, claims: s.token(
        claims, key=RSAKey.import_key(OTHER.as_dict(private=True), {"kid": "k1"})
    ),
    "another key under its own name": lambda s, claims: s.token(claims, key=OTHER),
    "a key that it brings along": lambda s, claims: s.token(
        claims, key=OTHER, header={"jwk": OTHER.as_dict(private=False)}
    ),
    "a brought key beside its name": lambda s, claims: s.token(claims, header={"jwk": OTHER.as_dict(private=False)}),
    "a key elsewhere": lambda s, claims: s.token(claims, header={"jku": "http://127.0.0.1:1/jwks"}),
    "a certificate elsewhere": lambda s, claims: s.token(claims, header={"x5u": "http://127.0.0.1:1/cert"}),
    "a name that is a path": lambda s, claims: s.token(claims, header={"kid": "../../../dev/null"}),
    "a name that is SQL": lambda s, claims: s.token(claims, header={"kid": "' OR 1=1 --"}),
    "a claim twice": lambda s, claims: with_payload(s, json.dumps(claims)[:-1] + ', "sub": "admin"}'),
    "no JSON": lambda s, _: with_payload(s, "hello"),
    "no object": lambda s, _: with_payload(s, "[1]"),
    "cut": lambda s, claims: s.token(claims)[:-5],
    "unsigned": lambda s, claims: s.token(claims).rpartition(".")[0] + ".",
    "without dots": lambda *_: "hello",
    "five parts": lambda *_: "a.b.c.d.e",
    "endless": lambda s, claims: s.token({**claims, "x": "y" * 20_000}),
    "empty": lambda *_: "",
}


@pytest.mark.parametrize("forged", SIGNATURES)
async def test_a_forged_token_is_refused(server: IdentityServer, provider: OpenIdProvider, forged: str) -> None:
    """Neither its key nor its algorithm is for the token to choose."""
    server.sign = lambda claims: SIGNATURES[forged](server, claims)
    with pytest.raises(Unauthenticated):
        await provider.redeem(await code_of(provider), ATTEMPT)


async def test_a_new_key_is_fetched_once(server: IdentityServer, provider: OpenIdProvider, clock: TurnedClock) -> None:
    """When a token names one that we do not have; not again within a minute, whatever tokens name."""
    await provider.redeem(await code_of(provider), ATTEMPT)
    clock.ahead += 61
    server.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    server.published = [server.key]
    assert (await provider.redeem(await code_of(provider), ATTEMPT)).subject == "ada-1"
    assert server.asked.count("/jwks") == 2
    server.sign = lambda claims: server.token(claims, key=OTHER)
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="not one of its own"):
            await provider.redeem(await code_of(provider), ATTEMPT)
    assert server.asked.count("/jwks") == 2


async def test_known_keys_outlast_an_outage(
    server: IdentityServer, provider: OpenIdProvider, clock: TurnedClock
) -> None:
    """For an hour; never does an outage let anybody in unchecked."""
    await provider.redeem(await code_of(provider), ATTEMPT)
    server.broken = {"/jwks"}
    clock.ahead += 600
    assert (await provider.redeem(await code_of(provider), ATTEMPT)).subject == "ada-1"
    clock.ahead += 3600
    with pytest.raises(Unavailable):
        await provider.redeem(await code_of(provider), ATTEMPT)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
async def test_a_provider_that_is_away_is_said_to_be(
    server: IdentityServer, provider: OpenIdProvider, path: str
) -> None:
    """It is not the person's fault."""
    code = await code_of(provider) if path == "/jwks" else "any"
    server.broken = {path}
    with pytest.raises(Unavailable):
        await provider.redeem(code, ATTEMPT)


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"authorization_endpoint": 1}, {"jwks_uri": []}],
)
async def test_a_provider_that_says_nonsense_is_not_used(
    server: IdentityServer, provider: OpenIdProvider, metadata: dict[str, Any]
) -> None:
    """One that answers in another's name, or names no endpoints."""
    server.metadata = metadata
    with pytest.raises(Unavailable):
        await provider.authorization_url(ATTEMPT)


async def test_what_is_discovered_is_remembered(server: IdentityServer, provider: OpenIdProvider) -> None:
    """People who come at the same time ask no more often."""
    await asyncio.gather(*(provider.authorization_url(ATTEMPT) for _ in range(3)))
    before = server.asked.count("/.well-known/openid-configuration")
    await provider.authorization_url(ATTEMPT)
    assert server.asked.count("/.well-known/openid-configuration") == before
