"""Every error a caller can meet, drawn as a tree; status, type, code and whether to try elsewhere belong to the class.

FarthingError
├── InvalidRequest 400
│   ├── Unauthenticated 401      a key is missing or wrong
│   ├── InsufficientQuota 402    a budget is spent
│   ├── Forbidden 403
│   ├── NotFound 404
│   ├── MethodNotAllowed 405
│   ├── RequestTimeout 408
│   ├── Conflict 409             something of this name is there, or is being made
│   ├── RequestTooLarge 413
│   ├── UriTooLong 414
│   ├── UnsupportedMediaType 415
│   └── HeadersTooLarge 431
├── RateLimited 429
├── NotInstalled 501             this installation lacks an extra
├── Unavailable 503              we cannot serve it now: keys or accounting out of reach
│   ├── Stopping 503             this process ends, another may answer
│   └── Overloaded 503           more is asked than this process can do
└── UpstreamError                a provider is to blame
    ├── UpstreamRejected 400     it refused the request itself; nobody else would take it either
    ├── UpstreamUnauthorized 502 it refused our key
    ├── UpstreamRateLimited 429
    ├── UpstreamOverloaded 503
    ├── UpstreamUnreachable 502  no connection
    ├── UpstreamTimeout 504
    │   └── ConnectTimeout 504   it took no connection, so it was asked nothing
    ├── UpstreamInvalid 502      an answer that is none
    ├── UpstreamInterrupted 502  an answer that broke off
    └── NoHealthyDeployment 503  every candidate is resting
"""

from __future__ import annotations

from typing import ClassVar

from farthing.domain.limits import Standing


class FarthingError(Exception):
    """Carries what the caller is told: what was wrong, where, and what to do."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, retry_after: float | None = None
    ) -> None:
        """`param` is the path of the offending field, `retry_after` in seconds."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param
        self.retry_after = retry_after


class InvalidRequest(FarthingError):
    """The request cannot be served as it is."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_request"


class Unauthenticated(InvalidRequest):
    """No key, or none that we know."""

    status = 401
    default_code = "invalid_api_key"


class InsufficientQuota(InvalidRequest):
    """A budget does not hold this request."""

    status = 402
    type = "insufficient_quota"
    default_code = "insufficient_quota"


class Forbidden(InvalidRequest):
    """The key is known and may not do this."""

    status = 403
    default_code = "forbidden"


class NotFound(InvalidRequest):
    """There is no such thing, or not for this key."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(InvalidRequest):
    """The address is right, the method is not."""

    status = 405
    default_code = "method_not_allowed"


class RequestTimeout(InvalidRequest):
    """The body did not arrive in time."""

    status = 408
    default_code = "request_timeout"


class Conflict(InvalidRequest):
    """What is asked for clashes with what is there."""

    status = 409
    default_code = "conflict"


class RequestTooLarge(InvalidRequest):
    """The body is over the cap."""

    status = 413
    default_code = "request_too_large"


class UriTooLong(InvalidRequest):
    """The address is over the cap."""

    status = 414
    default_code = "uri_too_long"


class UnsupportedMediaType(InvalidRequest):
    """The body is not JSON in UTF-8."""

    status = 415
    default_code = "unsupported_media_type"


class HeadersTooLarge(InvalidRequest):
    """A header is over the cap, or there are too many."""

    status = 431
    default_code = "headers_too_large"


class RateLimited(FarthingError):
    """Too many requests, tokens or streams of this key, its team or its tenant."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float | None = None, standings: tuple[Standing, ...] = ()) -> None:
        """`standings` tell how the caller's rates stand; without `retry_after` the request never fits."""
        super().__init__(message, retry_after=retry_after)
        self.standings = standings


class NotInstalled(FarthingError):
    """It needs a package that this installation does not have."""

    status = 501
    default_code = "not_installed"


class Unavailable(FarthingError):
    """Something of ours is away; the same request may be served soon."""

    status = 503
    default_code = "unavailable"


class Stopping(Unavailable):
    """The gateway was told to end, and the answer was not complete when the time to finish was over."""

    default_code = "shutting_down"

    def __init__(self) -> None:
        super().__init__("The gateway is being stopped. Send the request again.", retry_after=1.0)


class Overloaded(Unavailable):
    """More is asked than can be done, and this request was not begun."""

    default_code = "overloaded"

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(
            "The gateway is asked for more than it can do. Send the request again.", retry_after=retry_after
        )


class UpstreamError(FarthingError):
    """A provider failed. `fallback`: another candidate may do better; `trips`: the breaker counts it."""

    status = 502
    type = "upstream_error"
    default_code = "upstream_error"
    fallback: ClassVar[bool] = True
    trips: ClassVar[bool] = True


class UpstreamRejected(UpstreamError):
    """The provider calls the request itself invalid."""

    status = 400
    type = "invalid_request_error"
    default_code = "upstream_rejected"
    fallback = False
    trips = False


class UpstreamUnauthorized(UpstreamError):
    """The provider does not accept the key configured for it; never the caller's fault."""

    default_code = "upstream_auth_error"


class UpstreamRateLimited(UpstreamError):
    """The provider asks to slow down."""

    status = 429
    type = "rate_limit_error"
    default_code = "upstream_rate_limited"


class UpstreamOverloaded(UpstreamError):
    """The provider has no capacity, or failed inside."""

    status = 503
    default_code = "upstream_overloaded"


class UpstreamUnreachable(UpstreamError):
    """No connection to the provider."""

    default_code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The provider was silent for longer than a deadline allows."""

    status = 504
    default_code = "upstream_timeout"


class ConnectTimeout(UpstreamTimeout):
    """No connection to the provider came about in time: nothing was sent."""


class UpstreamInvalid(UpstreamError):
    """The provider answered with something that is no answer."""

    default_code = "upstream_invalid_response"


class UpstreamInterrupted(UpstreamError):
    """The provider's answer broke off."""

    default_code = "upstream_interrupted"


class NoHealthyDeployment(UpstreamError):
    """Every candidate is resting after failures."""

    status = 503
    default_code = "no_healthy_deployment"
    fallback = False
    trips = False
