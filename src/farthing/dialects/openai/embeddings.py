"""Embedding requests and answers: checked and counted, passed on as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from farthing.dialects import strict
from farthing.dialects.base import WireRequest
from farthing.dialects.openai.upstream import JSON
from farthing.dialects.openai.usage import read_usage
from farthing.domain.chat import Usage
from farthing.domain.errors import UpstreamInvalid

PATH = "/embeddings"
MAX_INPUTS = 2048

_Text = Annotated[str, Meta(min_length=1)]
_Token = Annotated[int, Meta(ge=0, lt=2**32)]
_Tokens = Annotated[list[_Token], Meta(min_length=1)]
_EXPECTED: Final = f"Send a text, 1 to {MAX_INPUTS:,} texts, or token ids from 0 on; none empty, and of one kind only"
_KINDS: Final[Mapping[type, Any]] = {str: list[_Text], int: list[_Token], list: list[_Tokens]}


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """What a caller wants embedded. `text_length` in characters and `token_count` are of all inputs together."""

    model: str
    inputs: int
    text_length: int
    token_count: int
    user: str | None = None


class WiredEmbeddings(Struct):
    """The body of `POST /v1/embeddings`. Its `model` is checked on its own, and its `input` further."""

    input: Any
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


class _Answer(Struct):
    data: list[msgspec.Raw]
    usage: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_request(tree: Any) -> EmbeddingRequest:
    """The request in a decoded body of `POST /v1/embeddings`. Raises `InvalidRequest`."""
    model = strict.model_name(tree)
    wired = strict.read_as(tree, WiredEmbeddings, {})
    inputs = [wired.input] if isinstance(wired.input, str) else wired.input
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_INPUTS:
        raise strict.invalid("input", _EXPECTED)
    try:
        kind = type(inputs[0])
        inputs = msgspec.convert(inputs, _KINDS[kind])
    except (KeyError, msgspec.ValidationError):
        raise strict.invalid("input", _EXPECTED) from None
    tokens = len(inputs) if kind is int else sum(map(len, inputs))
    return EmbeddingRequest(
        model=model,
        inputs=1 if kind is int else len(inputs),
        text_length=tokens if kind is str else 0,
        token_count=0 if kind is str else tokens,
        user=wired.user,
    )


def pass_through(body: bytes, request: EmbeddingRequest, upstream_model: str) -> WireRequest:
    """The caller's own bytes, the model changed if it must be."""
    changes = {} if request.model == upstream_model else {"model": upstream_model}
    return WireRequest(path=PATH, body=strict.splice(body, changes) if changes else body, headers=JSON)


def read_answer(body: bytes) -> Usage | None:
    """The tokens of an embedding answer, None where it reports none. Raises `UpstreamInvalid` for what is no answer."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamInvalid("The provider sent something that is no list of embeddings.") from None
    return read_usage(answer.usage)
