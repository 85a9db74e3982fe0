"""What an ID token must say before we believe who it is about (OIDC Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from farthing.domain.errors import Unauthenticated
from farthing.domain.signon import Identity

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures by a key that the provider alone has; what the token itself names is believed no further than this."""
LEEWAY_S = 60
"""How far the provider's clock may be from ours."""
LONGEST_SUBJECT = 255
FOREIGN_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
"""Headers by which a token would choose its own key, or its own rules."""


class StrictDecoder(json.JSONDecoder):
    """Refuses an object that names something twice: who reads it last would believe something else."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unambiguous)


def check_header(header: Mapping[str, Any]) -> None:
    """Raises ValueError for a token that brings its own key or asks for rules that we do not know."""
    if found := FOREIGN_KEYS & set(header):
        raise ValueError(f"the token's header names {sorted(found)}")


def identity_of(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now_s: int) -> Identity:
    """Who the verified claims are about. Raises `Unauthenticated` where they were not made for us, here and now."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    subject = claims.get("sub")
    said = claims.get("nonce")
    is_ours = (
        claims.get("iss") == issuer
        and client_id in audiences
        and (party == client_id or (party is None and len(audiences) == 1))
        and isinstance(subject, str)
        and 0 < len(subject) <= LONGEST_SUBJECT
        and isinstance(said, str)
        and hmac.compare_digest(said.encode(), nonce.encode())
        and _is_now(claims, now_s)
    )
    if not is_ours:
        raise Unauthenticated(
            "The identity provider's token was not made for this gateway, for this attempt, or for now. Sign on again.",
            code="sign_on_failed",
        )
    email, name = claims.get("email"), claims.get("name")
    return Identity(
        issuer=issuer,
        subject=str(subject),
        email=email.lower() if isinstance(email, str) and claims.get("email_verified") is True else None,
        name=name if isinstance(name, str) else None,
        claims=dict(claims),
    )


def _is_now(claims: Mapping[str, Any], now_s: int) -> bool:
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    moments = (expires, issued, begins)
    if not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in moments):
        return False
    return now_s < expires + LEEWAY_S and issued <= now_s + LEEWAY_S and begins <= now_s + LEEWAY_S  # type: ignore[operator]


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names something twice")
    return found
