"""The FastAPI application behind the routes that are not hot, built from the registry of routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from farthing.dialects.strict import MAX_ECHO
from farthing.domain.errors import FarthingError, InvalidRequest, MethodNotAllowed, NotFound
from farthing.http.errors import envelope, error_headers
from farthing.http.policy import Policy, Route, require_admin, require_key
from farthing.http.services import Services
from farthing.http.strict_route import StrictRoute

GUARDS = {Policy.PUBLIC: [], Policy.KEY: [Depends(require_key)], Policy.ADMIN: [Depends(require_admin)]}


def build_application(routes: Sequence[Route], *, services: Services, page: Mapping[str, tuple[bytes, str]]) -> FastAPI:
    """The application, with these services behind its routes."""
    app = FastAPI(
        title="Farthing",
        version=services.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = StrictRoute
    app.state.page = page
    app.state.services = services
    for route in routes:
        if route.answer is None:
            continue
        if route.methods == "WS":
            app.add_api_websocket_route(route.path, route.answer)
        else:
            app.add_api_route(
                route.path,
                route.answer,
                methods=route.methods.split(),
                dependencies=GUARDS[route.policy],
                # FastAPI would give both methods of a route one operation id.
                include_in_schema=" " not in route.methods,
            )
    app.add_exception_handler(FarthingError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


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
    return await _known(request, InvalidRequest(f"`{name}`: {first['msg']}.", code="invalid_parameter", param=name))


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
    return await _known(
        request, NotFound("There is no such address here. `GET /api/openapi.json` lists them.", code="unknown_url")
    )
