"""The page at `/` and its static files."""

from __future__ import annotations

from fastapi import Request, Response

from farthing.domain.errors import NotFound

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
FOR_EVER = "public, max-age=31536000, immutable"
"""A file's name holds a hash of what is in it."""


async def page(request: Request) -> Response:
    """The page itself."""
    return _file(request, "index.html", "no-cache")


async def asset(request: Request, name: str) -> Response:
    """One of the page's files. Raises `NotFound`."""
    return _file(request, name, FOR_EVER)


def _file(request: Request, name: str, keeping: str) -> Response:
    found = request.app.state.page.get(name)
    if found is None:
        raise NotFound("There is no such file.", code="unknown_url")
    body, packed, media_type = found
    headers = {
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": keeping,
        "vary": "accept-encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = packed
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=media_type, headers=headers)
