"""Single sign-on in the browser: away to the identity provider, back with a session, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from farthing.domain.errors import Forbidden, NotFound, Unauthenticated
from farthing.http.services import services_of

if TYPE_CHECKING:
    from farthing.ports import SignOn

ATTEMPT = "farthing-sign-on"
ATTEMPT_S = 600
SESSION_S = 43_200
LONGEST_PARAMETER = 4096
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def login(request: Request) -> Response:
    """Sends the browser to the identity provider; `next` is the path to come back to."""
    sign_on = _sign_on(request)
    url, cookie = await sign_on.begin(request.query_params.get("next", "/"))
    response = RedirectResponse(url, status_code=302, headers={"cache-control": "no-store"})
    _set(response, ATTEMPT, cookie, sign_on, seconds=ATTEMPT_S, path="/login")
    return response


async def callback(request: Request) -> Response:
    """Where the identity provider sends the browser back to: opens a session, or says why not."""
    sign_on = _sign_on(request)
    code, state = (request.query_params.get(name, "") for name in ("code", "state"))
    if not code or len(code) > LONGEST_PARAMETER or len(state) > LONGEST_PARAMETER:
        raise Unauthenticated("The identity provider did not let you in. Sign on again.", code="sign_on_failed")
    secret, goal = await sign_on.complete(code, state, request.cookies.get(ATTEMPT, ""))
    response = RedirectResponse(goal, status_code=302, headers={"cache-control": "no-store"})
    _set(response, ATTEMPT, "", sign_on, seconds=0, path="/login")
    _set(response, session_cookie(sign_on), secret, sign_on, seconds=SESSION_S, path="/")
    return response


async def logout(request: Request) -> Response:
    """Ends the session, on every worker within a second."""
    sign_on = _sign_on(request)
    check_origin(request, sign_on)
    secret = request.cookies.get(session_cookie(sign_on))
    if secret:
        await sign_on.end(secret)
    response = Response(status_code=204, headers={"cache-control": "no-store"})
    _set(response, session_cookie(sign_on), "", sign_on, seconds=0, path="/")
    return response


async def session(request: Request) -> dict[str, Any]:
    """Who is asking, as the routes see them."""
    caller = request.state.caller
    return {"tenant": caller.tenant, "team": caller.team, "user": caller.user, "role": caller.role}


def session_cookie(sign_on: SignOn) -> str:
    """The cookie's name: over TLS one that no other host or path can set (RFC 6265bis, section 4.1.3.2)."""
    return "__Host-farthing" if _is_secure(sign_on) else "farthing"


def check_origin(request: Request, sign_on: SignOn) -> None:
    """Raises `Forbidden` unless the page that sends this is ours: a cookie goes along whoever asks for it."""
    if request.method not in SAFE and request.headers.get("origin") != sign_on.origin:
        raise Forbidden("A session changes things from the gateway's own pages only; programs use a key.")


def _sign_on(request: Request) -> SignOn:
    sign_on = services_of(request).sign_on
    if sign_on is None:
        raise NotFound(
            "Single sign-on is not configured here: set [oidc] in farthing.toml, or use a key.", code="sign_on_off"
        )
    return sign_on


def _is_secure(sign_on: SignOn) -> bool:
    return sign_on.origin.startswith("https://")


def _set(response: Response, name: str, value: str, sign_on: SignOn, *, seconds: int, path: str) -> None:
    # Not `strict`: the browser comes back from another site, and must have the cookie on that very visit.
    response.set_cookie(
        name, value, max_age=seconds, path=path, secure=_is_secure(sign_on), httponly=True, samesite="lax"
    )
