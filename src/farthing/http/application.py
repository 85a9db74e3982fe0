"""The FastAPI application behind the routes that are not hot, built from the registry of routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from farthing.dialects.strict import MAX_ECHO
from farthing.domain.errors import FarthingError, InvalidRequest, MethodNotAllowed, NotFound
from farthing.http.errors import deny_socket, envelope, error_headers
from farthing.http.policy import Policy, Route, enforce
from farthing.http.services import Services
from farthing.http.strict_route import StrictRoute
from farthing.http.trail import is_told, tell

ADMIN = "/admin/"
"""How the addresses of all admin routes begin."""


class Unlisted(APIRoute):
    """What a route is that does not stand in the registry."""

    def __init__(self, path: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 (whatever FastAPI gives)
        raise _unlisted(path)


@cache
def guarded(policy: Policy) -> type[StrictRoute]:
    """The class of routes of this policy: nothing of a request is looked at before its caller is let in."""

    class Guarded(StrictRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_guarded(request: Request) -> Response:
                await enforce(policy, request)
                response = await handle(request)
                if is_told(policy, request.method):
                    tell(request, response)
                return response

            return handle_guarded

    return Guarded


def build_application(
    routes: Sequence[Route], *, services: Services, page: Mapping[str, tuple[bytes, bytes, str]]
) -> FastAPI:
    """The application, with these services behind its routes. Raises TypeError for a route without a policy."""
    app = routed(routes, services.version)
    app.state.page = page
    app.state.services = services
    app.add_exception_handler(FarthingError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


def routed(routes: Sequence[Route], version: str) -> FastAPI:
    """The routes alone, with nothing behind them. Raises TypeError for one without a policy."""
    app = FastAPI(
        title="Farthing",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = Unlisted
    app.router.default = _nowhere(app.router.default)
    for route in routes:
        _add(app, route)
    check_listed(app.routes, routes)
    return app


def _add(app: FastAPI, route: Route) -> None:
    if route.answer is None:
        return
    if route.methods == "WS":
        app.add_api_websocket_route(route.path, route.answer)
        return
    app.router.add_api_route(
        route.path,
        route.answer,
        methods=route.methods.split(),
        status_code=route.status,
        route_class_override=guarded(route.policy),
        tags=[route.answer.__module__.rpartition(".")[2]],
        # FastAPI would give both methods of a route one operation id.
        include_in_schema=" " not in route.methods,
    )


def check_listed(served: Iterable[BaseRoute], routes: Sequence[Route]) -> None:
    """Raises TypeError for a route that is served and was not made as the registry says."""
    sockets = {route.path for route in routes if route.methods == "WS"}
    guards = {
        (route.path, method): guarded(route.policy)
        for route in routes
        if route.methods != "WS"
        for method in route.methods.split()
    }
    for route in served:
        path: str = getattr(route, "path", "?")
        if isinstance(route, APIRoute):
            is_listed = all(type(route) is guards.get((path, method)) for method in route.methods or ())
        else:
            is_listed = isinstance(route, APIWebSocketRoute) and path in sockets
        if not is_listed:
            raise _unlisted(path)


def _nowhere(plain: ASGIApp) -> ASGIApp:
    """What answers where no route does: a socket is told so as a request is."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await deny_socket(scope, send, _unknown())
        else:
            await plain(scope, receive, send)

    return answer


def _unknown() -> NotFound:
    return NotFound("There is no such address here. `GET /api/openapi.json` lists them.", code="unknown_url")


def _unlisted(path: str) -> TypeError:
    return TypeError(f"{path} has no policy: list it in farthing.http.routes")


async def _known(request: Request, error: Exception) -> Response:
    if not isinstance(error, FarthingError):
        raise error
    body = envelope(error, request.scope["state"]["request_id"])
    response = Response(body, status_code=error.status, media_type="application/json")
    response.raw_headers.extend(error_headers(error))
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    """Pydantic's first finding as an error that names the field."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    name = (".".join(place) or "body").encode("unicode_escape").decode()[:MAX_ECHO]
    is_write = first["loc"][0] == "body" and request.scope["path"].startswith(ADMIN)
    code = "invalid_value" if is_write else "invalid_parameter"
    return await _known(request, InvalidRequest(f"`{name}`: {first['msg']}.", code=code, param=name))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, FarthingError):
        return await _known(request, error.__cause__)
    if error.status_code == MethodNotAllowed.status:
        allowed = (error.headers or {}).get("Allow", "")
        response = await _known(request, MethodNotAllowed(f"Use {allowed} here."))
        response.headers["allow"] = allowed
        return response
    if error.status_code != NotFound.status:
        return await _known(request, InvalidRequest("The body did not arrive as a whole.", code="bad_request"))
    return await _known(request, _unknown())
