"""The replay's provider says what was recorded, as a vendor would say it."""

import pytest
from openai import NotFoundError, OpenAI

from benchmarks.replay.recordings import CHEAP, STRONG, token_count
from tests.replay.conftest import Upstream


def client(upstream: Upstream) -> OpenAI:
    """The released client before the provider itself."""
    return OpenAI(base_url=f"{upstream[1]}/v1", api_key="any", max_retries=0)


def test_a_whole_answer_is_the_recording_with_usage_by_the_rule(upstream: Upstream) -> None:
    """Eight characters asked and forty answered are two and ten tokens."""
    with client(upstream) as openai:
        answer = openai.chat.completions.create(model=STRONG, messages=[{"role": "user", "content": "whatwhat"}])
    assert answer.choices[0].message.content == "Strong é\n" * 4 + "more"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (2, 10, 12)
    assert upstream[0].calls == {STRONG: 1}


@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_joins_to_the_same_answer_and_reports_usage_only_if_asked(upstream: Upstream, asked: bool) -> None:
    """The usage chunk comes last and has no choices."""
    with client(upstream) as openai:
        stream = openai.chat.completions.create(
            model=CHEAP,
            messages=[{"role": "system", "content": "x"}, {"role": "user", "content": "what"}],
            stream=True,
            stream_options={"include_usage": asked},
        )
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "cheap" * 4
    usages = [(chunk.usage.prompt_tokens, chunk.usage.completion_tokens) for chunk in chunks if chunk.usage]
    assert usages == ([(1, 5)] if asked else [])
    assert upstream[0].streams == 1


@pytest.mark.parametrize(("model", "prompt"), [(STRONG, "what else"), ("other", "what")])
def test_what_was_not_recorded_is_not_found(upstream: Upstream, model: str, prompt: str) -> None:
    """An unknown prompt or model answers 404 and counts as unknown, not as a call."""
    with client(upstream) as openai, pytest.raises(NotFoundError) as refused:
        openai.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
    assert refused.value.code == "not_recorded"
    assert (upstream[0].unknown, upstream[0].calls.total()) == (1, 0)


@pytest.mark.parametrize(("characters", "tokens"), [(0, 1), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_four_characters_begun_are_a_token(characters: int, tokens: int) -> None:
    """Nothing is free, and nothing depends on a vendor's tokenizer."""
    assert token_count("é" * characters) == tokens
