"""Every upstream dialect says every conversation, and what callers may say back is read the same."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.domain.chat import ChatRequest, Tool
from farthing.domain.errors import InvalidRequest
from tests.conformance.dialects.conversations import CONVERSATIONS, MODELS

GOLDEN = Path(__file__).parents[2] / "wire" / "golden"
VENDORS = sorted(UPSTREAM.keys() - {"responses"})
"""Dialects that every vendor is asked in; the Responses API is only ever passed through."""
BOTH_WAYS = sorted(INBOUND.keys() & set(VENDORS))
"""Dialects that callers and providers speak alike."""


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_a_request_is_written_to_the_byte(upstream: str, conversation: str) -> None:
    """Address and body equal the golden ones, written by hand from the vendor's published format."""
    wire = UPSTREAM[upstream].write_request(CONVERSATIONS[conversation], MODELS.get(upstream, "some-model"))
    golden = (GOLDEN / upstream / f"{conversation}.txt").read_bytes()
    assert b"POST %b\n%b\n" % (wire.path.encode(), wire.body) == golden


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_a_request_is_written_the_same_every_time(upstream: str, conversation: str) -> None:
    """A vendor's prompt cache matches bytes: the same conversation must not change them."""
    copied = msgspec.convert(msgspec.to_builtins(CONVERSATIONS[conversation].tools), tuple[Tool, ...])
    chat, copy = CONVERSATIONS[conversation], structs.replace(CONVERSATIONS[conversation], tools=copied)
    dialect, model = UPSTREAM[upstream], MODELS.get(upstream, "some-model")
    assert dialect.write_request(chat, model) == dialect.write_request(copy, model)


@pytest.mark.parametrize("upstream", VENDORS)
def test_what_only_another_dialect_can_say_is_refused(upstream: str) -> None:
    """Content without a counterpart is never left out in silence."""
    chat = structs.replace(CONVERSATIONS["plain"], untranslatable="messages[0].content[0]")
    with pytest.raises(InvalidRequest) as caught:
        UPSTREAM[upstream].write_request(chat, MODELS.get(upstream, "some-model"))
    assert (caught.value.param, caught.value.code) == ("messages[0].content[0]", "unsupported_content")


def told(chat: ChatRequest) -> tuple[object, ...]:
    """What a request says, whatever dialect carried it."""
    shape = chat.response_format
    return (
        chat.messages,
        chat.stream,
        chat.max_tokens,
        chat.stop,
        chat.tools,
        chat.tool_choice,
        None if shape is None else shape.schema,
    )


@pytest.mark.parametrize("conversation", sorted(CONVERSATIONS.keys() - {"reasoning"}))
@pytest.mark.parametrize("dialect", BOTH_WAYS)
def test_what_is_written_upstream_is_read_inbound(dialect: str, conversation: str) -> None:
    """Both sides of a dialect mean the same; only thinking is left out, which belongs to its vendor."""
    chat = CONVERSATIONS[conversation]
    wire = UPSTREAM[dialect].write_request(chat, MODELS.get(dialect, "some-model"))
    assert told(INBOUND[dialect].read_request(strict.decode(wire.body))) == told(chat)


@pytest.mark.parametrize("dialect", BOTH_WAYS)
def test_a_body_of_the_same_dialect_passes_through_untouched(dialect: str) -> None:
    """Neither blanks, nor the order of fields, nor unknown fields change where the model stays."""
    wire = UPSTREAM[dialect].write_request(CONVERSATIONS["tools"], "some-model")
    body = b' {"unknown" : [1.50, "\\u00e9"],\n' + wire.body[1:] + b"\n"
    tree = strict.decode(body)
    chat = INBOUND[dialect].read_request(tree)
    assert UPSTREAM[dialect].pass_through(body, tree, chat, "some-model").body is body
    other = UPSTREAM[dialect].pass_through(body, tree, chat, "other-model")
    assert other.body == body.replace(b"some-model", b"other-model")
    assert other.path == wire.path


@pytest.mark.parametrize("upstream", VENDORS)
def test_the_key_stands_in_headers_only(upstream: str) -> None:
    """Neither address nor body of a request holds the provider's key."""
    dialect = UPSTREAM[upstream]
    wire = dialect.write_request(CONVERSATIONS["plain"], "some-model")
    assert any(b"canary-key" in value for _, value in dialect.auth_headers("canary-key"))
    assert {name for name, _ in dialect.auth_headers("k")} & {name for name, _ in wire.headers} == set()
    assert (b"content-type", b"application/json") in wire.headers
