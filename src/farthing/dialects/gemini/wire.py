"""The fields of Gemini's answers that Farthing understands."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from farthing.domain.chat import Usage

Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Tokens. What is negative or beyond any call's size makes the whole report unbelievable."""


class FunctionCall(Struct, frozen=True):
    """A function the model wants called; older models leave the id out."""

    name: str
    args: Raw = Raw()
    id: str = ""


class AnswerPart(Struct, frozen=True, rename="camel"):
    """A piece of an answer: text, thinking (`thought`), or a call."""

    text: str = ""
    thought: bool = False
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(Struct, frozen=True):
    """The pieces that came together."""

    parts: list[AnswerPart] = []


class Candidate(Struct, frozen=True, rename="camel"):
    """One alternative, or more of it."""

    content: Content = Content()
    finish_reason: str | None = None
    index: int = 0


class PromptFeedback(Struct, frozen=True, rename="camel"):
    """Why the prompt was not answered at all."""

    block_reason: str | None = None


class Answer(Struct, frozen=True, rename="camel"):
    """A whole answer, or one event of a stream."""

    candidates: list[Candidate] = []
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Raw = Raw()
    model_version: str = ""
    response_id: str = ""
    error: Raw = Raw()


class ModalityCount(Struct, frozen=True, rename="camel"):
    """Tokens of one kind of content."""

    modality: str
    token_count: Count = 0


class UsageMetadata(Struct, frozen=True, rename="camel"):
    """The vendor's token report; the prompt's count holds the cached tokens, the candidates' leaves thinking out."""

    prompt_token_count: Count | None = None
    cached_content_token_count: Count = 0
    candidates_token_count: Count = 0
    thoughts_token_count: Count = 0
    tool_use_prompt_token_count: Count = 0
    prompt_tokens_details: list[ModalityCount] = []
    cache_tokens_details: list[ModalityCount] = []
    candidates_tokens_details: list[ModalityCount] = []

    def usage(self) -> Usage | None:
        """The report in disjoint classes, None where it tells nothing of the prompt."""
        if self.prompt_token_count is None:
            return None
        cached = min(self.cached_content_token_count, self.prompt_token_count)
        cached_audio = min(_of(self.cache_tokens_details, "AUDIO"), cached)
        audio = _fresh(self, "AUDIO")
        image = _fresh(self, "IMAGE")
        text = self.prompt_token_count - cached - audio - image
        if text < 0:
            # Details that exceed their total are not believed.
            text, audio, image = self.prompt_token_count - cached, 0, 0
        audio_out = min(_of(self.candidates_tokens_details, "AUDIO"), self.candidates_token_count)
        image_out = min(_of(self.candidates_tokens_details, "IMAGE"), self.candidates_token_count - audio_out)
        return Usage(
            prompt=text + self.tool_use_prompt_token_count,
            cached=cached - cached_audio,
            cached_audio=cached_audio,
            audio_in=audio,
            image_in=image,
            completion=self.candidates_token_count - audio_out - image_out,
            reasoning=self.thoughts_token_count,
            audio_out=audio_out,
            image_out=image_out,
        )


def _fresh(report: UsageMetadata, modality: str) -> int:
    """Tokens of the prompt in this modality that were not read from the cache."""
    return max(0, _of(report.prompt_tokens_details, modality) - _of(report.cache_tokens_details, modality))


def _of(details: list[ModalityCount], modality: str) -> int:
    return sum(detail.token_count for detail in details if detail.modality == modality)
