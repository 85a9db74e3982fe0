"""Every vendor's errors become the same classes, and every caller is told of them without secrets."""

import json

import msgspec
import pytest

from farthing.dialects import INBOUND, UPSTREAM
from farthing.dialects.base import Event
from farthing.domain import errors
from farthing.domain.errors import (
    FarthingError,
    InsufficientQuota,
    InvalidRequest,
    Overloaded,
    RateLimited,
    Stopping,
    Unauthenticated,
    UpstreamError,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnauthorized,
)

SECRETS = ["sk-live-abcdefgh12345678", "AIzaSyA1234567890abcdef", "https://internal.example/v1", "/srv/app/main.py"]
"""Things that vendors have put into the text of their errors."""

CLASSES = {
    400: UpstreamRejected,
    401: UpstreamUnauthorized,
    403: UpstreamUnauthorized,
    404: UpstreamRejected,
    429: UpstreamRateLimited,
    500: UpstreamOverloaded,
    503: UpstreamOverloaded,
    529: UpstreamOverloaded,
}
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FarthingError)]


def body(status: int, message: str) -> bytes:
    """An error with every vendor's fields at once."""
    error = {"code": status, "type": "some_error", "status": "SOME_ERROR", "message": message, "param": None}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": "req_1"})


def shown(error: FarthingError) -> str:
    """Everything of an error that could reach a caller or a log."""
    return f"{error!r} {error.message} {error.code} {error.param}"


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("upstream", UPSTREAM)
def test_a_status_means_the_same_at_every_vendor(upstream: str, status: int) -> None:
    """The class decides whether to try elsewhere, so it must not depend on the vendor nor on a readable body."""
    headers = {"retry-after": "7"}
    for content in (body(status, "Why."), b"<html>Bad gateway</html>", b""):
        error = UPSTREAM[upstream].read_error(status, headers, content)
        assert type(error) is CLASSES[status]
        assert error.retry_after == (7.0 if status in {429, 500, 503, 529} else None)


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("upstream", UPSTREAM)
def test_a_vendors_secrets_stay_with_us(upstream: str, status: int) -> None:
    """Keys, addresses and paths in an error's text reach nobody, as a body or within a stream."""
    content = body(status, f"Wrong: {' '.join(SECRETS)}")
    found = [UPSTREAM[upstream].read_error(status, {}, content)]
    with pytest.raises(UpstreamError) as caught:
        UPSTREAM[upstream].stream_reader().read(Event(b"error", content, b""))
    found.append(caught.value)
    assert [secret for error in found for secret in SECRETS if secret in shown(error)] == []


@pytest.mark.parametrize("data", [b"<html>", b"{", b'{"choices": 5, "candidates": 5, "type": 5}', b"\xff"])
@pytest.mark.parametrize("upstream", UPSTREAM)
def test_garbage_with_a_good_status_is_invalid(upstream: str, data: bytes) -> None:
    """What is no answer is the provider's failure, as a body or as an event."""
    with pytest.raises(UpstreamInvalid):
        UPSTREAM[upstream].read_completion(data)
    with pytest.raises(UpstreamInvalid):
        UPSTREAM[upstream].stream_reader().read(Event(b"", data, b""))


@pytest.mark.parametrize("upstream", UPSTREAM)
def test_usage_that_cannot_be_true_is_none(upstream: str) -> None:
    """Negative and absurd counts are as good as no report: the tokens are then counted here."""
    for count in (-7, 10**15, 2**70):
        usage = dict.fromkeys(("prompt_tokens", "input_tokens", "promptTokenCount", "completion_tokens"), count)
        answer = {
            "id": "x",
            "responseId": "x",
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "content": [{"type": "text", "text": "Hi"}],
            "candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
            "stop_reason": "end_turn",
            "usage": usage,
            "usageMetadata": usage,
        }
        completion = UPSTREAM[upstream].read_completion(json.dumps(answer).encode())
        assert (completion.text, completion.usage) == ("Hi", None)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("inbound", INBOUND)
def test_every_error_is_told_in_the_callers_dialect(inbound: str, kind: type[FarthingError]) -> None:
    """An object `error` with type and message, in whichever dialect."""
    own: dict[type[FarthingError], FarthingError] = {Stopping: Stopping(), Overloaded: Overloaded(retry_after=1)}
    error = own[kind] if kind in own else kind("What was wrong.")
    told = msgspec.json.decode(INBOUND[inbound].write_error(error, "r-1"))
    assert told["error"]["message"] == error.message
    assert isinstance(told["error"]["type"], str)


@pytest.mark.parametrize("kind", [InvalidRequest, Unauthenticated, InsufficientQuota, RateLimited])
def test_anthropics_envelope_differs(kind: type[FarthingError]) -> None:
    """Its SDK looks for the type beside the error and for the request's id."""
    told = msgspec.json.decode(INBOUND["anthropic"].write_error(kind("x"), "r-1"))
    assert (told["type"], told["request_id"], set(told["error"])) == ("error", "r-1", {"type", "message"})
