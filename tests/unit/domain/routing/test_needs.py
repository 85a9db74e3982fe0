"""What requests need, and which models have it."""

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.catalogue import Capability
from farthing.domain.chat import Image, Message, ResponseFormat, Text, Tool
from farthing.domain.errors import InvalidRequest
from farthing.domain.routing.complexity import Complexity
from farthing.domain.routing.needs import read_needs
from tests.unit.domain.routing.samples import LARGE, MEDIUM, SMALL, ask, catalogue, model

PICTURE = Message("user", (Text("What is this?"), Image(url="https://example.org/a.png")))


@pytest.mark.parametrize(
    ("fields", "capabilities"),
    [
        ({}, []),
        ({"tools": (Tool("look"),)}, ["tools"]),
        ({"response_format": ResponseFormat("json_object")}, ["json"]),
        ({"reasoning_effort": "high"}, ["reasoning"]),
        ({"reasoning_effort": "none"}, []),
        ({"reasoning_effort": "minimal"}, []),
        ({"reasoning_tokens": 2_000}, ["reasoning"]),
        ({"messages": (PICTURE,)}, ["images"]),
        ({"messages": (PICTURE,), "tools": (Tool("look"),)}, ["images", "tools"]),
    ],
)
def test_capabilities_follow_from_what_is_sent(fields: dict[str, Any], capabilities: list[Capability]) -> None:
    """Tools, pictures, a response format and a wish to think each need a model that can."""
    assert read_needs(replace(ask("hi"), **fields), "simple").capabilities == frozenset(capabilities)


@pytest.mark.parametrize(
    ("fields", "tokens_out"),
    [
        ({}, 250),
        ({"max_tokens": 128_000}, 250),
        ({"max_tokens": 100}, 100),
        ({"n": 3}, 750),
        ({"n": 3, "max_tokens": 9}, 27),
    ],
)
def test_the_likely_output_is_the_tier_s_and_never_over_the_limit(fields: dict[str, Any], tokens_out: int) -> None:
    """A limit of 128,000 says nothing of the answer's length; each of `n` answers counts."""
    needs = read_needs(replace(ask("hi"), **fields), "simple")
    assert (needs.tokens_out, needs.max_tokens) == (tokens_out, fields.get("max_tokens"))


def test_harder_prompts_are_expected_to_be_answered_at_length() -> None:
    """The likely output doubles with each tier."""
    chat = ask("hi")
    assert [read_needs(chat, tier).tokens_out for tier in ("simple", "moderate", "complex")] == [250, 500, 1_000]


def test_a_model_that_cannot_do_it_is_passed_over() -> None:
    """The next tier serves where the tier's own model cannot use tools, and the candidate says so."""
    able = model("able", "moderate", 1, "tools", "json")
    plan = Complexity().plan(replace(ask("hi"), tools=(Tool("look"),)), catalogue(SMALL, able, LARGE))
    assert [found.name for found in plan.models] == ["able"]
    assert plan.tier == "simple"
    told = {candidate.model: candidate.reason for candidate in plan.candidates}
    assert told["small"] == told["large"] == "cannot use tools"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"messages": (PICTURE,)}, "cannot see images"),
        ({"response_format": ResponseFormat("json_object")}, "cannot be held to JSON"),
        ({"reasoning_effort": "high"}, "cannot reason on request"),
    ],
)
def test_each_missing_capability_has_its_words(fields: dict[str, Any], reason: str) -> None:
    """A person reads what the model cannot do."""
    able = model("able", "simple", 5, "tools", "json", "images", "reasoning")
    plan = Complexity().plan(replace(ask("hi"), **fields), catalogue(SMALL, able))
    assert [found.name for found in plan.models] == ["able"]
    assert plan.candidates[1].reason == reason


@pytest.mark.parametrize(
    ("fields", "param", "named"),
    [
        ({"tools": (Tool("look"),)}, "tools", "tools"),
        ({"messages": (PICTURE,)}, "messages", "images"),
        ({"response_format": ResponseFormat("json_object")}, "response_format", "json"),
        (
            {"tools": (Tool("look"),), "response_format": ResponseFormat("json_object")},
            "response_format",
            "json, tools",
        ),
    ],
)
def test_where_no_model_can_the_request_is_refused(fields: dict[str, Any], param: str, named: str) -> None:
    """The refusal names what is missing and the field that asks for it."""
    with pytest.raises(InvalidRequest, match=rf"\({named}\)") as refusal:
        Complexity().plan(replace(ask("hi"), **fields), catalogue(SMALL, LARGE))
    assert (refusal.value.code, refusal.value.param) == ("no_capable_model", param)


def test_a_wish_to_think_is_no_demand() -> None:
    """Where no model thinks on request, the cheapest answers without; with tools needed, those are still needed."""
    chat = replace(ask("hi"), reasoning_effort="high")
    assert Complexity().plan(chat, catalogue(SMALL, LARGE)).models[0] == SMALL
    able = model("able", "simple", 5, "tools")
    plan = Complexity().plan(replace(chat, tools=(Tool("look"),)), catalogue(SMALL, able))
    assert plan.models == (able,)


def test_a_context_window_must_hold_input_and_likely_output() -> None:
    """The cheapest model is passed over where the answer would not fit any more."""
    narrow, wide = model("narrow", "simple", 0.1, window=2_000), model("wide", "simple", 1, window=8_000)
    chat = ask("word " * 2_000)
    plan = Complexity().plan(replace(chat, max_tokens=100), catalogue(narrow, wide))
    assert [found.name for found in plan.models] == ["wide"]
    assert plan.needs.tokens_in == 2_045
    assert plan.candidates[1].reason == "context window 2,000 < 2,145 needed"


def test_an_unknown_context_window_holds_everything() -> None:
    """Nobody is kept from a model for want of data."""
    unknown = model("unknown", "moderate", 1, window=None)
    assert Complexity().plan(ask("word " * 200_000), catalogue(unknown)).models == (unknown,)


def test_an_estimate_may_be_wrong_by_half_before_it_refuses() -> None:
    """A request that fits by a narrow reading is tried at the model it may fit into."""
    narrow, wide = model("narrow", "simple", 0.1, window=1_000), model("wide", "simple", 1, window=2_000)
    plan = Complexity().plan(ask("word " * 2_000), catalogue(narrow, wide))
    assert [found.name for found in plan.models] == ["wide"]


def test_what_fits_nowhere_is_refused_with_the_longest_window() -> None:
    """The caller learns how long the request is and how long it may be."""
    with pytest.raises(InvalidRequest) as refusal:
        Complexity().plan(
            ask("word " * 2_000),
            catalogue(model("a", "simple", 1, window=1_000), model("b", "simple", 1, window=1_300)),
        )
    assert refusal.value.code == "context_length_exceeded"
    assert refusal.value.param == "messages"
    assert refusal.value.message == (
        "This request has about 2,045 tokens and the context window holds 1,300. Shorten the messages."
    )


def test_confidence_is_low_where_only_a_weaker_model_serves() -> None:
    """The score may be clear, the answer is not."""
    plan = Complexity().plan(ask("Design a distributed rate limiter for a public API."), catalogue(MEDIUM))
    assert plan.confidence == "low"
    assert plan.reason.endswith("no capable model of tier complex, so medium of tier moderate is asked.")
