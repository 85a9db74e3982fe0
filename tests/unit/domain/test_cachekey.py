"""Two requests share a key exactly where they ask the same question."""

import itertools
import random
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.cachekey import NOT_PART_OF_THE_QUESTION, identity

BODY: dict[str, Any] = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": [{"type": "text", "text": "What does C++ do with [] and ()?"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "object", "stream": True}}}],
    "temperature": 0.2,
    "top_p": 1,
    "seed": 7,
    "max_tokens": 100,
    "stop": ["\n"],
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
    "somebody_elses_invention": {"a": None, "b": [1, 2]},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text().filter(lambda name: name not in NOT_PART_OF_THE_QUESTION), JSON, max_size=6)


def key(tree: Mapping[str, Any], **place: str | None) -> str:
    """The identity of a body in an ordinary place."""
    return identity(
        tree,
        tenant=place.get("tenant") or "local",
        arm=place.get("arm"),
        route=place.get("route") or "/v1/chat/completions",
        model=place.get("model") or "auto",
    )


def reversed_fields(value: object) -> object:
    """The same JSON with every object's fields in the opposite order."""
    if isinstance(value, dict):
        return {name: reversed_fields(value[name]) for name in reversed(value)}
    return [reversed_fields(item) for item in value] if isinstance(value, list) else value


def containers(value: object) -> Iterator[dict[str, object] | list[object]]:
    """Every object and list in a JSON value that is not empty."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


def mutated(tree: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """The body with one value somewhere in it replaced or wrapped, or one field renamed."""
    tree = msgspec.json.decode(msgspec.json.encode(tree))
    place: Any = dice.choice(list(containers(tree)))
    at = dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
    match dice.randrange(4):
        case 0:
            place[at] = f"{dice.getrandbits(64):x}"
        case 1:
            place[at] = [place[at], dice.getrandbits(64)]
        case 2 if isinstance(place, dict):
            place[f"x{dice.getrandbits(64):x}"] = place.pop(at)
        case _:
            place[at] = {"": place[at], "x": dice.random()}
    return tree


def test_a_hundred_thousand_different_bodies_have_as_many_keys() -> None:
    """Whatever is changed, wherever it stands, known field or not: no two different bodies collide."""
    dice = random.Random(20261121)
    bodies, keys = set(), set()
    tree = BODY
    for turn in range(100_000):
        tree = mutated(BODY if turn % 4 == 0 else tree, dice)
        tree["model"], tree["stream"] = "auto", False
        bodies.add(msgspec.json.encode(tree, order="sorted"))
        keys.add(key(tree))
    assert len(keys) == len(bodies) > 99_000


@pytest.mark.parametrize("field", sorted(BODY.keys() - NOT_PART_OF_THE_QUESTION))
def test_every_field_counts(field: str) -> None:
    """To leave a field out, or to say null, is another question than to say something."""
    without = {name: value for name, value in BODY.items() if name != field}
    assert len({key(BODY), key(without), key(BODY | {field: None})}) == 3


@pytest.mark.parametrize("field", sorted(NOT_PART_OF_THE_QUESTION))
def test_what_cannot_change_the_answer_does_not_count(field: str) -> None:
    """The listed fields count neither by value nor by being there, but only at the top: elsewhere they are content."""
    assert key(BODY | {field: True}) == key({name: value for name, value in BODY.items() if name != field})
    inside = {**BODY, "tools": [{field: 1}]}
    assert key(inside) != key({**BODY, "tools": [{field: 2}]})


@given(BODIES)
def test_the_order_of_fields_does_not_matter(body: dict[str, Any]) -> None:
    """At every depth."""
    assert key(body) == key({name: reversed_fields(body[name]) for name in reversed(body)})


@given(BODIES, BODIES)
def test_different_bodies_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Equal keys mean equal JSON, up to Unicode composition."""
    same = msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
    assert (key(one) == key(other)) is same or not repr((one, other)).isascii()


def test_the_order_of_items_matters() -> None:
    """Messages and tools are a sequence."""
    assert key({"messages": [1, 2]}) != key({"messages": [2, 1]})


@pytest.mark.parametrize("name", ["tenant", "arm", "route", "model"])
def test_every_part_of_the_place_counts(name: str) -> None:
    """Another tenant, arm, route or model never finds this answer."""
    assert key(BODY, **{name: "other"}) != key(BODY)


def test_no_arm_is_not_the_arm_without_a_name() -> None:
    """None and the empty name are kept apart."""
    assert key(BODY, arm=None) != key(BODY, arm="")


def test_parts_cannot_be_shifted_into_one_another() -> None:
    """However a text is cut into tenant, arm, route and model, each cut has its own key."""
    text = '1:a,"|{}:'
    cuts = itertools.combinations_with_replacement(range(len(text) + 1), 3)
    places = [(text[:i], text[i:j], text[j:k], text[k:]) for i, j, k in cuts]
    keys = {identity({}, tenant=a, arm=b, route=c, model=d) for a, b, c, d in places}
    assert len(keys) == len(places)


@pytest.mark.parametrize(
    "texts",
    [
        ("C", "C++", "C#", "c"),
        ("[]", "()", "{}", ""),
        ("a b", "ab", "a  b", " a b", "a b\n"),
        ('a","b', "a,b", 'a"', "a\\", "a\\n", "a\n", "a\u0000", "a\\u0000"),
        ("日本", "日本。", "本日"),
        ("ﬁ", "fi", "①", "1"),
        ("Straße", "Strasse", "STRASSE"),
        ("n\u0303", "\\n\u0303", "\n\u0303"),
        ("1", 1, 1.0, True, "true", None, "null", [1], "[1]"),
        (0.1, 0.1 + 2**-56, 0.0, -0.0, 2**64, 2**64 + 1, 1e22, 10**22),
    ],
)
def test_texts_and_numbers_that_look_alike_stay_apart(texts: tuple[Any, ...]) -> None:
    """No case is folded, no symbol or space dropped, no type confused with another."""
    bodies = [{"messages": [{"role": "user", "content": text}]} for text in texts]
    assert len({key(body) for body in bodies}) == len(texts)


@given(st.text())
def test_composed_and_decomposed_letters_are_the_same_text(text: str) -> None:
    """NFC and NFD of a text share a key, even beside escapes."""
    composed, taken_apart = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert key({"prompt": [f"\n{composed}"]}) == key({"prompt": [f"\n{taken_apart}"]})


def test_fields_named_by_equivalent_letters_do_not_swallow_each_other() -> None:
    """Names of fields are compared as they are."""
    assert key({"é": 1, "e\u0301": 2}) != key({"é": 2})
    assert key({"é": 1, "e\u0301": 2}) != key({"é": 2, "e\u0301": 1})


def test_leaving_out_the_temperature_is_not_temperature_zero() -> None:
    """The vendor's default is not 0."""
    assert key({"messages": []}) != key({"messages": [], "temperature": 0})


@pytest.mark.parametrize(
    ("field", "counts"),
    [({}, False), ({"n": 1}, False), ({"n": 2}, True), ({"logprobs": True}, True), ({"logprobs": False}, False)],
)
def test_streaming_counts_only_where_the_answer_cannot_be_told_both_ways(field: dict[str, Any], counts: bool) -> None:
    """One plain choice is shared by streams and bodies; several choices and log probabilities are not."""
    whole, stream = {**BODY, **field, "stream": False}, {**BODY, **field, "stream": True}
    assert (key(whole) != key(stream)) is counts
    assert key(whole) == key({name: value for name, value in whole.items() if name != "stream"})


def test_a_key_is_written_the_same_way_for_ever() -> None:
    """Answers kept by yesterday's process are found by today's."""
    assert key({"prompt": "¿Qué?"}) == "c850bd9ba6bb100abcd4ead33e4bdc132933987b47c816bedd97c8e3478edcd5"


def test_a_long_route_counts_to_its_last_character() -> None:
    """A caller's headers, which stand in the route, may be longer than what is remembered."""
    long = "x" * 1_000
    keys = {identity({}, tenant="t", arm=None, route=route, model="m") for route in (long, long + "y", long[1:])}
    assert len(keys) == 3
