"""OpenID Connect: the authorization code flow with PKCE, and what an identity provider has signed (OIDC Core 1.0)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from farthing.domain.errors import Unauthenticated, Unavailable, UpstreamError
from farthing.domain.secrecy import Secret
from farthing.domain.signon import Attempt, Identity
from farthing.identity.claims import ALGORITHMS, identity_of
from farthing.ports import Clock, Deadlines, Transport, UpstreamRequest

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

DEADLINES = Deadlines(connect=3.0, first_token=5.0, idle=5.0, total=8.0)
LARGEST_DOCUMENT = 256 * 1024
LARGEST_TOKEN = 16 * 1024
METADATA_FRESH_S = 3600.0
KEYS_FRESH_S = 300.0
KEYS_STALE_S = 3600.0
"""How long signatures are checked with the last keys known while the provider does not give newer ones."""
REFRESH_AGAIN_S = 60.0
"""A token under an unknown key makes us ask for newer keys this often at most."""
OK = 200


class Client(Struct, frozen=True, kw_only=True):
    """What the identity provider knows the gateway as."""

    issuer: str
    client_id: str
    client_secret: Secret[str] | None
    redirect_url: str
    scopes: str = "openid email profile"


class OpenIdProvider:
    """One identity provider. What it says is fetched when first needed and remembered for a while."""

    def __init__(self, client: Client, *, transport: Transport, clock: Clock) -> None:
        self._client = client
        self._transport = transport
        self._clock = clock
        self._metadata: Mapping[str, Any] = {}
        self._metadata_at = -METADATA_FRESH_S
        self._keys: KeySet | None = None
        self._keys_at = self._keys_tried_at = -KEYS_STALE_S

    async def authorization_url(self, attempt: Attempt) -> str:
        """Where the browser is sent. Raises `Unavailable` while the provider does not answer."""
        metadata = await self._discovered()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_url,
            "scope": self._client.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        endpoint: str = metadata["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def redeem(self, code: str, attempt: Attempt) -> Identity:
        """Who came back with `code`. Raises `Unauthenticated` for what is not proven, `Unavailable` as above."""
        metadata = await self._discovered()
        token = (await self._token(metadata, code, attempt)).get("id_token")
        if not isinstance(token, str) or len(token) > LARGEST_TOKEN:
            raise _unproven("it sent no ID token")
        claims = await self._verified(token)
        return identity_of(
            claims,
            issuer=self._client.issuer,
            client_id=self._client.client_id,
            nonce=attempt.nonce,
            now_s=self._clock.now_us() // 1_000_000,
        )

    async def _token(self, metadata: Mapping[str, Any], code: str, attempt: Attempt) -> Mapping[str, Any]:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_url,
            "code_verifier": attempt.verifier,
        }
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
        # Without a list the specification says client_secret_basic (OIDC Discovery 1.0, section 3).
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if client.client_secret is None:
            form["client_id"] = client.client_id
        elif "client_secret_basic" in methods:
            pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret.reveal(), safe='')}"
            headers.append((b"authorization", b"Basic " + b64encode(pair.encode())))
        else:
            form |= {"client_id": client.client_id, "client_secret": client.client_secret.reveal()}
        status, document = await self._fetch(
            metadata["token_endpoint"], method="POST", headers=tuple(headers), body=urlencode(form).encode()
        )
        if status != OK:
            raise _unproven("it did not accept the code")
        return document

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that one of the provider's keys has signed."""
        # Only a gateway with single sign-on pays for the library.
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        from farthing.identity.claims import StrictDecoder, check_header

        for is_last in (False, True):
            keys = await self._key_set(is_urgent=is_last)
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS, decoder_cls=StrictDecoder)
                check_header(decoded.header)
            except InvalidKeyIdError as error:
                if is_last:
                    raise _unproven("the ID token's key is not one of its own") from error
            except (JoseError, ValueError) as error:
                raise _unproven("the ID token's signature or form is wrong") from error
            else:
                return decoded.claims
        raise AssertionError("the second round returns or raises")

    async def _discovered(self) -> Mapping[str, Any]:
        now = self._clock.monotonic()
        if now - self._metadata_at >= METADATA_FRESH_S:
            url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            status, document = await self._fetch(url)
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if status != OK or not all(isinstance(document.get(name), str) for name in needed):
                raise _away()
            # Else one provider could answer in the name of another (OIDC Discovery 1.0, section 4.3).
            if document.get("issuer") != self._client.issuer:
                raise _away()
            self._metadata, self._metadata_at = document, now
        return self._metadata

    async def _key_set(self, *, is_urgent: bool) -> KeySet:
        """The provider's keys; newer ones where those we have are old, or `is_urgent` and not just asked for."""
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        now = self._clock.monotonic()
        limit = REFRESH_AGAIN_S if is_urgent else KEYS_FRESH_S
        if self._keys is None or (now - self._keys_at >= limit and now - self._keys_tried_at >= REFRESH_AGAIN_S):
            self._keys_tried_at = now
            try:
                metadata = await self._discovered()
                status, document = await self._fetch(metadata["jwks_uri"])
                if status != OK:
                    raise _away()
                self._keys, self._keys_at = KeySet.import_key_set({"keys": document.get("keys", [])}), now
            except (Unavailable, JoseError, ValueError, TypeError) as error:
                if self._keys is None or now - self._keys_at >= KEYS_STALE_S:
                    raise _away() from error
        return self._keys

    async def _fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: tuple[tuple[bytes, bytes], ...] = ((b"accept", b"application/json"),),
        body: bytes = b"",
    ) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object; an empty one where the body is none. Raises `Unavailable`."""
        request = UpstreamRequest(url=url, headers=headers, body=body, deadlines=DEADLINES, method=method)
        try:
            response = await self._transport.send(request)
            try:
                text = await response.read(LARGEST_DOCUMENT)
            finally:
                response.close()
        except (UpstreamError, ValueError) as error:
            raise _away() from error
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        return response.status, document if isinstance(document, dict) else {}


def _unproven(why: str) -> Unauthenticated:
    return Unauthenticated(f"The identity provider did not vouch for you: {why}. Sign on again.", code="sign_on_failed")


def _away() -> Unavailable:
    return Unavailable(
        "The identity provider does not answer as it should. Try again shortly.",
        code="sign_on_unavailable",
        retry_after=5.0,
    )
