"""JSON of strangers: what is refused, with which code, and what is left untouched."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import strict
from farthing.domain.errors import InvalidRequest


class Pairs(list[tuple[str, Any]]):
    """An object's members, duplicates included."""


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ['"', "\\", '\\"', '":{', "[]", "\n", "NaN", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]
    )
)
keys = st.sampled_from(["a", "b", 'q"', "back\\", "é", "", "messages"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(keys, inner), max_size=4).map(Pairs),
    max_leaves=20,
)


def text_of(value: object, *, ascii_only: bool, gap: str) -> str:
    """The value as JSON, with whitespace wherever JSON allows it."""
    if isinstance(value, Pairs):
        members = (
            f"{gap}{json.dumps(name, ensure_ascii=ascii_only)}{gap}:{gap}"
            f"{text_of(member, ascii_only=ascii_only, gap=gap)}{gap}"
            for name, member in value
        )
        return "{" + (",".join(members) or gap) + "}"
    if isinstance(value, list):
        return "[" + ",".join(gap + text_of(item, ascii_only=ascii_only, gap=gap) + gap for item in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def has_duplicates(value: object) -> bool:
    """The slow way to see a duplicate key."""
    if isinstance(value, Pairs):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(has_duplicates(member) for _, member in value)
    return isinstance(value, list) and any(map(has_duplicates, value))


def code_of(body: bytes) -> str | None:
    """The code with which a body is refused."""
    with pytest.raises(InvalidRequest) as caught:
        strict.decode(body)
    return caught.value.code


@given(st.lists(st.tuples(keys, values), max_size=5).map(Pairs), st.booleans(), st.sampled_from(["", " ", "\n\t "]))
def test_decode_agrees_with_a_slow_reader(tree: Pairs, ascii_only: bool, gap: str) -> None:
    """Every JSON object is read as the standard library reads it, unless some object in it repeats a key."""
    body = text_of(tree, ascii_only=ascii_only, gap=gap).encode()
    if has_duplicates(tree):
        assert code_of(body) == "duplicate_key"
    else:
        assert strict.decode(body) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b" \n", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b'{"a":1} x', "invalid_json"),
        (b'{"a":1 /* one */}', "invalid_json"),
        (b"{'a':1}", "invalid_json"),
        (b"\x00", "invalid_json"),
        (b"\x00{}", "invalid_json"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_json"),
        (b'{"a":nan}', "invalid_json"),
        (b"[]", "invalid_type"),
        (b'"x"', "invalid_type"),
        (b"1", "invalid_type"),
        (b"null", "invalid_type"),
        (b'{"a":NaN}', "invalid_number"),
        (b'{"a":Infinity}', "invalid_number"),
        (b'{"a":-Infinity}', "invalid_number"),
        (b'{"a":1e999}', "invalid_number"),
        (b'{"a":' + b"9" * 5_000 + b"}", "invalid_number"),
        (b'{"a":' * 64 + b"[]" + b"}" * 64, "json_too_deep"),
        (b'{"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "json_too_deep"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "json_too_deep"),
        (b"[" * 100_000, "json_too_deep"),
        (b"[" * 200, "json_too_deep"),
        (b"[" * 200 + b"]" * 200, "json_too_deep"),
        (b"[[]," * 2_000, "json_too_deep"),
        (b'{"a":[' + b"1," * 1_000_000 + b"1]}", "json_too_complex"),
        (b"{" + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}", "json_too_complex"),
        (b'{"a":[' + b"[],[" * 120_000 + b"]" * 120_000 + b"]}", "json_too_complex"),
        (b'{"a":"\\ud800"}', "invalid_encoding"),
        (b'{"a":"\\ud800\\u0041"}', "invalid_encoding"),
        (b'{"a":"\\udc00"}', "invalid_encoding"),
        (b'{"a":"\xff"}', "invalid_encoding"),
        (b'{"a":"\xc0\xaf"}', "invalid_encoding"),
        (b"\xff\xfe{}", "invalid_encoding"),
        ('{"a":1}'.encode("utf-16-le"), "invalid_encoding"),
        ('{"a":1}'.encode("utf-32-be"), "invalid_encoding"),
    ],
)
def test_decode_refuses(body: bytes, code: str) -> None:
    """Each kind of broken body has its own code."""
    assert code_of(body) == code


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"a","model":"b"}', "model"),
        (b'{"model":"a","mod\\u0065l":"b"}', "model"),
        (b'{"messages":[{"role":"user"},{"role":"user","role":"x"}]}', "messages[1].role"),
        (b'{"a":{"b":{"c":1,"c":1}},"d":{}}', "a.b.c"),
        (b'{"x":"\\"","' + b"k" * 100 + b'":1,"' + b"k" * 100 + b'":2}', "k" * 64),
        (b'{"x":"\\u0022","a":1, "a":2}', "a"),
        (b'{"x":"\\u0022\\u0022","a":{"":1,"":2}}', "a."),
    ],
)
def test_decode_names_the_duplicate_key(body: bytes, param: str) -> None:
    """The refusal of a duplicate key says where it stands, in at most 64 characters."""
    with pytest.raises(InvalidRequest) as caught:
        strict.decode(body)
    assert (caught.value.code, caught.value.param) == ("duplicate_key", param)
    assert len(caught.value.message) < 160


def test_decode_takes_a_quote_however_it_is_spelt() -> None:
    """An escaped quote, a spelt-out one and a backslash before the end of a string are no duplicates."""
    body = b'{"a": "\\u0022", "b": "\\"", "c": "\\\\", "d": "\\\\u0022"}'
    assert strict.decode(body) == {"a": '"', "b": '"', "c": "\\", "d": "\\u0022"}


def test_decode_takes_what_is_just_within_the_bounds() -> None:
    """64 levels and long texts full of brackets, commas and quotes pass."""
    deep = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert msgspec.json.encode(strict.decode(deep)) == deep
    wide = b'{"a":[' + b'{"b":[]},' * 100 + b"1]}"
    assert msgspec.json.encode(strict.decode(wide)) == wide
    text = '[{",\\"' * 50_000
    assert strict.decode(json.dumps({"a": text}).encode()) == {"a": text}
    assert len(strict.decode(b'{"a":[' + b"1," * 150_000 + b"1]}")["a"]) == 150_001


def test_a_refusal_says_where_and_what_to_do() -> None:
    """The message names the byte and the fault."""
    with pytest.raises(InvalidRequest, match=r"^The body is not JSON, at byte 7: trailing comma in object\. Send one"):
        strict.decode(b'{"a":1,}')


members = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    values.filter(lambda v: not has_duplicates(v)),
    max_size=5,
)


@given(
    members,
    st.dictionaries(keys | st.sampled_from(["model", "x"]), scalars, max_size=3),
    st.sampled_from(["", " ", "\n "]),
    st.booleans(),
)
def test_splice_changes_nothing_else(tree: dict[str, Any], changes: dict[str, Any], gap: str, ascii_only: bool) -> None:
    """Members are replaced or added; the tree is otherwise equal, and taking the change back gives the same bytes."""
    body = text_of(Pairs(tree.items()), ascii_only=ascii_only, gap=gap).encode()
    tree = json.loads(body)
    spliced = strict.splice(body, changes)
    assert json.loads(spliced) == {**tree, **json.loads(msgspec.json.encode(changes))}
    assert strict.splice(body, {}) == body
    if tree and tree.keys().isdisjoint(changes) and changes:
        assert strict.added(body, changes) == spliced
    untouched = {name: member for name, member in tree.items() if name not in changes}
    for name in untouched:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])[name]
        assert bytes(msgspec.json.decode(spliced, type=dict[str, msgspec.Raw])[name]) == bytes(raw)


namesakes = st.sampled_from(["model", 'x"model', 'model":"', "model\\", "a", ",", "["])
likenesses = st.recursive(
    namesakes | st.sampled_from(["m", '"model":"m"', '{"model":"m"}', 'm"}', "x" * 600]) | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(namesakes, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(namesakes, likenesses, max_size=5), st.sampled_from(["", " "]), namesakes)
def test_splice_finds_the_member_wherever_it_stands(tree: dict[str, Any], gap: str, name: str) -> None:
    """First, last or between, among members and texts that look like it, one value is changed and no other byte."""
    body = text_of(pairs_of(tree), ascii_only=False, gap=gap).encode()
    spliced = strict.splice(body, {name: "new"})
    assert list(json.loads(spliced).items()) == list({**tree, name: "new"}.items())
    if name in tree:
        assert strict.splice(spliced, {name: tree[name]}) == strict.splice(body, {name: tree[name]})


def pairs_of(value: Any) -> Any:
    """The value with its objects as they are written."""
    if isinstance(value, dict):
        return Pairs((name, pairs_of(member)) for name, member in value.items())
    return [pairs_of(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("body", "changes", "expected"),
    [
        (b'{ "model" : "a" , "x":{"model":"a"}}\n', {"model": "b"}, b'{ "model" : "b" , "x":{"model":"a"}}\n'),
        (b'{"m":1,"model":"a"}', {"model": "b", "n": {"k": 1}}, b'{"m":1,"model":"b","n":{"k":1}}'),
        (b'{"mod\\u0065l":"a"}', {"model": "b"}, b'{"mod\\u0065l":"b"}'),
        (b'{"a":1 }', {"b": 2}, b'{"a":1,"b":2 }'),
        (b" { } ", {"b": 2}, b' {"b":2 } '),
        (b'{"model":"a","x":{"model":"a"}}', {"model": "b"}, b'{"model":"b","x":{"model":"a"}}'),
        (b'{"model": 1,"x":{"model":"a"}}', {"model": "b"}, b'{"model": "b","x":{"model":"a"}}'),
        (b'{"x\\"model":"a","model":"a"}', {"model": "b"}, b'{"x\\"model":"a","model":"b"}'),
        (b'{"model" :"a","x\\"model":"a"}', {"model": "b"}, b'{"model" :"b","x\\"model":"a"}'),
        (b'{"x":[1], "model": "a" }\n', {"model": "b"}, b'{"x":[1], "model": "b" }\n'),
    ],
)
def test_splice_keeps_every_other_byte(body: bytes, changes: dict[str, Any], expected: bytes) -> None:
    """Whitespace, escapes and nested namesakes stay as they were."""
    assert strict.splice(body, changes) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"x":1}', b"{}"),
        (b'{ "x" : [1, "x"] , "a":2}', b'{ "a":2}'),
        (b'{"a":{"x":1} , "x":2 }', b'{"a":{"x":1} }'),
        (b'{"a":1,\n "\\u0078": {"x": "}"},\n "b":2}', b'{"a":1,\n "b":2}'),
        (b' {"a":1}', b' {"a":1}'),
    ],
)
def test_a_member_is_left_out_with_its_comma(body: bytes, expected: bytes) -> None:
    """However its name is written; whitespace around others and nested namesakes stay as they were."""
    assert strict.without(body, "x") == expected


@given(members, st.sampled_from(["", " ", "\n\t"]), st.booleans())
def test_what_is_left_out_is_all_that_is_missing(tree: dict[str, Any], gap: str, ascii_only: bool) -> None:
    """Any member of any body."""
    body = text_of(Pairs(tree.items()), ascii_only=ascii_only, gap=gap).encode()
    for name in tree:
        rest = [(other, value) for other, value in json.loads(body).items() if other != name]
        assert list(json.loads(strict.without(body, name)).items()) == rest


class Inner(msgspec.Struct):
    """A nested field."""

    kind: Literal["a", "b"]


class Outer(msgspec.Struct, kw_only=True):
    """A request with a field of each sort."""

    inner: list[Inner]
    size: Annotated[int, msgspec.Meta(ge=1)] = 1
    names: dict[Annotated[str, msgspec.Meta(max_length=3)], str] | None = None


@pytest.mark.parametrize(
    ("tree", "param", "code", "message"),
    [
        ({}, "inner", "missing_required_parameter", "`inner`: This field is required."),
        ({"inner": 1}, "inner", "list_wanted", "`inner`: Expected `array`, got `int`."),
        ({"inner": ["x"]}, "inner[0]", "invalid_type", "`inner[0]`: Expected `object`, got `str`."),
        ({"inner": [{}]}, "inner[0].kind", "missing_required_parameter", "`inner[0].kind`: This field is required."),
        (
            {"inner": [{"kind": "a"}, {"kind": "c\n` - at `$.x`"}]},
            "inner[1].kind",
            "invalid_value",
            r"`inner[1].kind`: 'c\\n` - at `$.x`' is not among the accepted values.",
        ),
        ({"inner": [], "size": 0}, "size", "invalid_value", "`size`: Expected `int` >= 1."),
        ({"inner": [], "names": {"k": 1}}, "names", "invalid_type", "`names`: Expected `str`, got `int`."),
        ({"inner": [], "names": {"long": "x"}}, "names", "invalid_value", "`names`: Expected `str` of length <= 3."),
        (
            {"inner": [], "api_base": "http://127.0.0.1"},
            "api_base",
            "unsupported_parameter",
            "`api_base` cannot be chosen by a request: providers are set up on the gateway. Leave it out.",
        ),
    ],
)
def test_read_as_names_the_field(tree: dict[str, object], param: str, code: str, message: str) -> None:
    """A field that does not fit is refused with its path, its code, and what was expected."""
    with pytest.raises(InvalidRequest) as caught:
        strict.read_as(tree, Outer, {"inner": "list_wanted"} if tree else {})
    assert (caught.value.param, caught.value.code, caught.value.message) == (param, code, message)


def test_read_as_refuses_a_tree_that_is_no_object() -> None:
    """The top level itself has no path."""
    with pytest.raises(InvalidRequest) as caught:
        strict.read_as([], Outer, {})  # type: ignore[arg-type]
    assert (caught.value.param, caught.value.code) == ("", "invalid_type")


def test_read_as_lets_unknown_fields_pass() -> None:
    """A field the gateway does not know is the provider's business."""
    assert strict.read_as({"inner": [{"kind": "a", "x": 1}], "y": 2}, Outer, {}) == Outer(inner=[Inner("a")])


@pytest.mark.parametrize("field", sorted(strict.DENIED))
def test_no_request_chooses_its_own_upstream(field: str) -> None:
    """Each field that would redirect a request or carry a credential is refused, even as null."""
    with pytest.raises(InvalidRequest) as caught:
        strict.read_as({"inner": [], field: None}, Outer, {})
    assert (caught.value.param, caught.value.code) == (field, "unsupported_parameter")


@pytest.mark.parametrize("model", ["gpt-5.5", "demo/small", "org/model:free", "ft:gpt-4o@x+y_z", "nope", "m" * 256])
def test_model_names(model: str) -> None:
    """The names vendors give to models pass."""
    assert strict.model_name({"model": model}) == model


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({}, "missing_required_parameter"),
        ({"model": None}, "missing_required_parameter"),
        ({"model": ""}, "invalid_model"),
        ({"model": "m" * 257}, "invalid_model"),
        ({"model": 7}, "invalid_model"),
        ({"model": "../x"}, "invalid_model"),
        ({"model": "a\r\nb"}, "invalid_model"),
        ({"model": "a\n"}, "invalid_model"),
        ({"model": "🦀"}, "invalid_model"),
        ({"model": "á"}, "invalid_model"),
    ],
)
def test_what_is_no_model_name(tree: dict[str, object], code: str) -> None:
    """Everything else is refused under `model`."""
    with pytest.raises(InvalidRequest) as caught:
        strict.model_name(tree)
    assert (caught.value.param, caught.value.code) == ("model", code)


@given(st.text())
def test_shown_is_short_and_plain(text: str) -> None:
    """Whatever a caller sent, what is repeated of it is printable ASCII of at most 64 characters in quotes."""
    echo = strict.shown(text)
    assert len(echo) <= strict.MAX_ECHO + 2
    assert echo.isascii()
    assert echo.isprintable()


@pytest.mark.parametrize(
    ("text", "echo"),
    [("a", "'a'"), ("a\nb", r"'a\nb'"), ("x" * 64, f"'{'x' * 64}'"), ("x" * 65, f"'{'x' * 61}...'")],
)
def test_shown(text: str, echo: str) -> None:
    """Short text stands as it is, control characters escaped, long text cut."""
    assert strict.shown(text) == echo


@pytest.mark.parametrize(
    ("text", "limit", "expected"), [(b"[[]]", 1, True), (b"[[]]", 2, False), (b'["[["]', 1, False)]
)
def test_is_deeper(text: bytes, limit: int, expected: bool) -> None:
    """Brackets inside strings do not count."""
    assert strict.is_deeper(text, limit) is expected
