"""The released SDKs raise their typed exceptions for refusals (C9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.servers.gateway import Gateway

TEXT = "x" * (33 * 1024 * 1024)
SAID: list[Any] = [{"role": "user", "content": "x"}]

pytestmark = pytest.mark.usefixtures("upstream")


@pytest.fixture
def from_openai(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client before the open gateway."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any") as client:
        yield client


@pytest.fixture
def from_anthropic(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client before the open gateway."""
    with anthropic.Anthropic(base_url=gateway.url, api_key="any") as client:
        yield client


@pytest.mark.parametrize(
    ("fields", "error", "code", "param"),
    [
        ({"messages": []}, openai.BadRequestError, "invalid_messages", "messages"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_value", "temperature"),
        ({"model": "../x"}, openai.BadRequestError, "invalid_model", "model"),
        ({"model": "never"}, openai.NotFoundError, "model_not_found", "model"),
        ({"extra_body": {"api_base": "http://x"}}, openai.BadRequestError, "unsupported_parameter", "api_base"),
        ({"extra_headers": {"content-type": "text/plain"}}, openai.APIStatusError, "unsupported_media_type", None),
        ({"extra_headers": {"x-api-key": "another"}}, openai.BadRequestError, "conflicting_credentials", None),
        ({"messages": [{"role": "user", "content": TEXT}]}, openai.APIStatusError, "request_too_large", None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_openais_client_raises_what_it_knows(
    from_openai: openai.OpenAI, fields: dict[str, Any], error: type[openai.APIStatusError], code: str, param: str | None
) -> None:
    """Type, code, parameter and request id arrive."""
    with pytest.raises(error) as refused:
        from_openai.chat.completions.create(**{"model": "small", "messages": SAID, **fields})
    assert type(refused.value) is error
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id


@pytest.mark.parametrize(
    ("fields", "error", "kind"),
    [
        ({"messages": []}, anthropic.BadRequestError, "invalid_request_error"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "invalid_request_error"),
        ({"model": "never"}, anthropic.NotFoundError, "not_found_error"),
        ({"extra_body": {"api_key": "x"}}, anthropic.BadRequestError, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": TEXT}]}, anthropic.RequestTooLargeError, "request_too_large"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_anthropics_client_raises_what_it_knows(
    from_anthropic: anthropic.Anthropic, fields: dict[str, Any], error: type[anthropic.APIStatusError], kind: str
) -> None:
    """The same in the other dialect."""
    with pytest.raises(error) as refused:
        from_anthropic.messages.create(**{"model": "small", "max_tokens": 9, "messages": SAID, **fields})
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["error"]["type"] == kind
    assert refused.value.request_id
