"""An identity provider of the tests' own that speaks real OpenID Connect, well or badly."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from farthing.domain.signon import Attempt

Claims = dict[str, Any]


class Grant(NamedTuple):
    """What an authorization code stands for."""

    nonce: str
    challenge: str
    redirect_url: str


class IdentityServer:
    """Approves whoever comes as `person`, while its `async with` lasts."""

    client_id = "farthing"
    client_secret = "a secret/of the:client"

    def __init__(self) -> None:
        self.person: Claims = {"sub": "ada-1", "email": "Ada@example.com", "email_verified": True, "name": "Ada"}
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.published: list[RSAKey] = [self.key]
        self.sign: Callable[[Claims], str] = self.token
        """How an ID token is made of its claims."""
        self.broken: set[str] = set()
        """Paths that answer 500."""
        self.asked: list[str] = []
        """Paths, in order."""
        self.metadata: dict[str, Any] = {}
        """Put over what discovery tells."""
        self.issuer = ""
        self._grants: dict[str, Grant] = {}

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/jwks", self._jwks)
        application.router.add_get("/authorize", self._authorize)
        application.router.add_post("/token", self._token)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.issuer = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def token(self, claims: Claims, *, key: RSAKey | None = None, header: dict[str, Any] | None = None) -> str:
        """Claims signed as they should be, unless a key or headers say otherwise."""
        signer = key or self.key
        return jwt.encode({"alg": "RS256", "kid": signer.kid, **(header or {})}, claims, signer)

    def _note(self, request: web.Request) -> None:
        self.asked.append(request.path)
        if request.path in self.broken:
            raise web.HTTPInternalServerError(text="<html>no</html>")

    async def _discovery(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                **self.metadata,
            }
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.json_response(KeySet([*self.published]).as_dict(private=False))

    async def _authorize(self, request: web.Request) -> web.Response:
        self._note(request)
        query = request.query
        assert query["response_type"] == "code"
        assert query["client_id"] == self.client_id
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self._grants[code] = Grant(query["nonce"], query["code_challenge"], query["redirect_uri"])
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        raise web.HTTPFound(back)

    async def _token(self, request: web.Request) -> web.Response:
        self._note(request)
        form = await request.post()
        grant = self._grants.pop(str(form["code"]), None)
        verifier = str(form["code_verifier"])
        is_proven = (
            grant is not None
            and self._is_client(request, form)
            and grant.redirect_url == form["redirect_uri"]
            and Attempt(state="", nonce="", verifier=verifier).challenge == grant.challenge
        )
        if not is_proven or grant is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "nonce": grant.nonce, "iat": now, "exp": now + 300}
        return web.json_response({"id_token": self.sign({**claims, **self.person}), "token_type": "Bearer"})

    def _is_client(self, request: web.Request, form: Any) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = b64decode(credentials).decode().partition(":")
            return (unquote(name), unquote(secret)) == (self.client_id, self.client_secret)
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)
