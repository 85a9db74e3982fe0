"""What a vendor said in one body reaches a caller of the same dialect as it was."""

from __future__ import annotations

import pytest

from farthing.dialects import INBOUND, UPSTREAM, upstream_for
from farthing.dialects.base import ReplyFacts, UpstreamDialect
from farthing.domain.chat import Choice, Completion, Text, Usage


@pytest.mark.parametrize("dialect", UPSTREAM.values(), ids=UPSTREAM.keys())
def test_a_whole_body_is_relayed_byte_for_byte(dialect: UpstreamDialect) -> None:
    """Spaces, unknown fields and the way numbers are written stay."""
    body = b'{ "a":1.50, "b":[1E2, "\\/ \xc3\xa9"] }\n'
    assert dialect.relay_whole(body) is body


ANSWER = Completion(
    id="msg_1", model="m", choices=(Choice((Text("hello"),), "stop"),), usage=Usage(prompt=7, completion=2)
)
BODIES = {
    "openai": INBOUND["openai"].write_completion(ANSWER, ReplyFacts(request_id="r", created_s=0)),
    "anthropic": INBOUND["anthropic"].write_completion(ANSWER, ReplyFacts(request_id="r", created_s=0)),
    "gemini": b'{"responseId":"g","modelVersion":"m","candidates":[{"content":{"parts":[{"text":"hello"}]},'
    b'"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}',
    "embeddings": b'{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_reading_and_relaying_in_one_step_is_both(name: str) -> None:
    """The completion is that of `read_completion`, the body that of `relay_whole`."""
    dialect = upstream_for("embeddings", "openai") if name == "embeddings" else UPSTREAM[name]
    body = BODIES[name]
    completion, relayed = dialect.read_whole(body)
    assert completion == dialect.read_completion(body)
    assert completion.usage is not None
    assert completion.usage.tokens_in == 7
    assert relayed is body
