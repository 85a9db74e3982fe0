"""What callers say in headers, and how it is refused when it cannot be read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType
from farthing.domain.pricing import NANO
from farthing.gateway.call import Directives
from farthing.http.headers import (
    LONGEST_VALUE,
    MOST_RATINGS,
    MOST_TAGS,
    Headers,
    app_name,
    check_is_local,
    check_length,
    check_media_type,
    credential,
    directives,
)

HOST = (b"host", b"localhost:8000")
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def headers(*pairs: tuple[bytes, bytes]) -> Headers:
    """Headers with a host and these."""
    return Headers([HOST, *pairs])


def test_names_are_found_in_lower_case_and_values_in_latin_1() -> None:
    """Whatever the client wrote; of doubled headers the last counts."""
    found = headers((b"X-Farthing-User", b"J\xfcrgen"), (b"accept", b"a"), (b"accept", b"b"))
    assert found["x-farthing-user"] == "Jürgen"
    assert found["accept"] == "b"


def test_headers_for_a_provider_are_kept_as_they_came() -> None:
    """Those of the vendors' dialects alone; of doubled ones every value."""
    pairs = [(b"anthropic-beta", b"a"), (b"cookie", b"x"), (b"openai-beta", b"b"), (b"anthropic-beta", b"c")]
    assert headers(*pairs).forward == ((b"anthropic-beta", b"a, c"), (b"openai-beta", b"b"))


@pytest.mark.parametrize("host", [b"a", b"a:1", b"[::1]", b"[::1]:65535", b"127.0.0.1:8000", b"a-b_c.example"])
def test_a_host_is_a_name_or_an_address_and_perhaps_a_port(host: bytes) -> None:
    """These are."""
    assert Headers([(b"host", host)])["host"] == host.decode()


@pytest.mark.parametrize(
    "hosts", [[], [b""], [b"a", b"a"], [b"a/b"], [b"a b"], [b"a@b"], [b"a:x"], [b"a\n"], [b"x" * 254]]
)
def test_any_other_host_is_refused(hosts: list[bytes]) -> None:
    """These are none, or more than one."""
    with pytest.raises(InvalidRequest) as refused:
        Headers([(b"host", host) for host in hosts])
    assert refused.value.code == "invalid_host"


@given(key=PRINTABLE, scheme=st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"]))
def test_the_same_key_is_found_in_each_of_its_headers(key: str, scheme: str) -> None:
    """And in all of them at once."""
    shown = [(b"authorization", f"{scheme} {key}".encode()), (b"x-api-key", key.encode())]
    shown.append((b"x-goog-api-key", f" {key} ".encode()))
    assert {credential(headers(pair)) for pair in shown} == {key}
    assert credential(headers(*shown)) == key


@given(one=PRINTABLE, other=PRINTABLE, names=st.permutations([b"authorization", b"x-api-key", b"x-goog-api-key"]))
def test_two_different_keys_are_never_reconciled(one: str, other: str, names: list[bytes]) -> None:
    """Neither of them is used, in whichever headers they stand."""
    values = {b"authorization": "Bearer {}", b"x-api-key": "{}", b"x-goog-api-key": "{}"}
    first, second = (
        (name, values[name].format(key).encode()) for name, key in zip(names[:2], (one, other), strict=True)
    )
    if one == other:
        assert credential(headers(first, second)) == one
    else:
        with pytest.raises(InvalidRequest) as refused:
            credential(headers(first, second))
        assert refused.value.code == "conflicting_credentials"
        assert one not in refused.value.message or len(one) < 4


def test_a_key_twice_in_one_header_must_be_the_same() -> None:
    """The last one does not silently win."""
    twice = [(b"x-api-key", b"a"), (b"x-api-key", b"b")]
    with pytest.raises(InvalidRequest):
        credential(headers(*twice))
    assert credential(headers(twice[0], twice[0])) == "a"


@pytest.mark.parametrize(
    ("value", "key"),
    [(b"", None), (b"Basic abc", "Basic abc"), (b"Bearer", "Bearer"), (b"Bearer  ", "Bearer"), (b"abc", "abc")],
)
def test_only_what_bearer_bears_is_a_key(value: bytes, key: str | None) -> None:
    """Anything else stays whole, and so can be no key of ours."""
    assert credential(headers((b"authorization", value))) == key


def test_no_key_is_none() -> None:
    """Where no header carries one."""
    assert credential(headers()) is None


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/vnd.api+json",
        "application/json ; charset=utf8",
        "application/json;",
    ],
)
def test_json_in_utf8_is_accepted(kind: str) -> None:
    """In every form that clients write it."""
    check_media_type(headers((b"content-type", kind.encode()), (b"content-encoding", b"identity")))


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/json", "application/json; charset=utf-16", "application/jsonp", "json"]
)
def test_anything_else_is_no_json(kind: str) -> None:
    """Nor a request without the header."""
    for given_headers in (headers((b"content-type", kind.encode())), headers()):
        with pytest.raises(UnsupportedMediaType) as refused:
            check_media_type(given_headers)
        assert refused.value.code == "unsupported_media_type"


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"deflate", b"gzip, gzip", b"x"])
def test_a_body_is_compressed_by_gzip_alone(coding: bytes) -> None:
    """Every other coding is refused; so is gzip upon gzip."""
    check_media_type(headers((b"content-type", b"application/json"), (b"content-encoding", b"GZIP")))
    with pytest.raises(UnsupportedMediaType) as refused:
        check_media_type(headers((b"content-type", b"application/json"), (b"content-encoding", coding)))
    assert refused.value.code == "unsupported_encoding"


@pytest.mark.parametrize(("length", "fits"), [(b"0", True), (b"100", True), (b"101", False), (b"9" * 30, False)])
def test_a_length_is_held_to_the_limit(length: bytes, fits: bool) -> None:
    """The limit itself fits; what is no number is left to the server."""
    check_length(headers((b"content-length", b"x")), 100)
    if fits:
        check_length(headers((b"content-length", length)), 100)
    else:
        with pytest.raises(RequestTooLarge, match="100 bytes"):
            check_length(headers((b"content-length", length)), 100)


def test_wishes_are_read_from_their_headers() -> None:
    """User, session, tags, cache, limit and experiment."""
    said = directives(
        headers(
            (b"x-farthing-user", b"ann"),
            (b"x-farthing-session", b"s"),
            (b"x-farthing-tags", b"team=support, feature=a b"),
            (b"x-farthing-feedback", b"019adb00-0000-7000-8000-000000000001=4, r_2=up,r-3=incorrect"),
            (b"x-farthing-cache", b" ON "),
            (b"x-farthing-max-cost-usd", b"0.05"),
            (b"x-farthing-quality-floor", b"0.05"),
            (b"x-farthing-experiment", b"e"),
        )
    )
    assert said == Directives(
        user="ann",
        session="s",
        tags={"team": "support", "feature": "a b"},
        feedback={"019adb00-0000-7000-8000-000000000001": "4", "r_2": "up", "r-3": "incorrect"},
        cache=True,
        max_cost=50_000_000,
        quality_floor=0.05,
        experiment_id="e",
    )


def test_who_wishes_nothing_gets_nothing() -> None:
    """A plain request."""
    assert directives(headers((b"user-agent", b"curl/8"))) == Directives()


@pytest.mark.parametrize("name", [b"x-claude-code-session-id", b"session-id", b"thread-id"])
def test_sessions_of_known_programs_are_found(name: bytes) -> None:
    """Unless ours is said as well; a long one is cut."""
    assert directives(headers((name, b"their"))).session == "their"
    assert directives(headers((name, b"their"), (b"x-farthing-session", b"ours"))).session == "ours"
    assert directives(headers((name, b"x" * 300))).session == "x" * LONGEST_VALUE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-farthing-user", b""),
        (b"x-farthing-user", b"x" * 257),
        (b"x-farthing-user", b"a\tb"),
        (b"x-farthing-experiment", b"\x1b[2J"),
        (b"x-farthing-feedback", b"r"),
        (b"x-farthing-feedback", b"r=0"),
        (b"x-farthing-feedback", b"r=6"),
        (b"x-farthing-feedback", b"r=good"),
        (b"x-farthing-feedback", b"=5"),
        (b"x-farthing-feedback", b"r s=5"),
        (b"x-farthing-feedback", b"r=5,,s=5"),
        (b"x-farthing-feedback", b"r" * 65 + b"=5"),
        (b"x-farthing-feedback", b",".join(b"r%d=1" % n for n in range(MOST_RATINGS + 1))),
        (b"x-farthing-tags", b"team"),
        (b"x-farthing-tags", b"a=1,,b=2"),
        (b"x-farthing-tags", b"a=b=c"),
        (b"x-farthing-tags", b"a=" + b"x" * 129),
        (b"x-farthing-tags", b",".join(b"t%d=1" % n for n in range(MOST_TAGS + 1))),
        (b"x-farthing-cache", b"maybe"),
        (b"x-farthing-cache", b""),
        (b"x-farthing-max-cost-usd", b"-1"),
        (b"x-farthing-max-cost-usd", b"1e3"),
        (b"x-farthing-max-cost-usd", b"NaN"),
        (b"x-farthing-max-cost-usd", b""),
        (b"x-farthing-max-cost-usd", b"\xb2"),
        (b"x-farthing-quality-floor", b""),
        (b"x-farthing-quality-floor", b"-0.1"),
        (b"x-farthing-quality-floor", b"1.01"),
        (b"x-farthing-quality-floor", b"2"),
        (b"x-farthing-quality-floor", b"5%"),
        (b"x-farthing-quality-floor", b"nan"),
        (b"x-farthing-quality-floor", b"1e-2"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused_by_name(name: bytes, value: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidRequest) as refused:
        directives(headers((name, value)))
    assert (refused.value.code, refused.value.param) == ("invalid_header", name.decode())


@given(st.decimals(min_value=0, max_value=999_999, places=9))
def test_a_limit_in_dollars_is_exact_to_the_nano_dollar(limit: Decimal) -> None:
    """No float stands between."""
    said = directives(headers((b"x-farthing-max-cost-usd", format(limit, "f").encode())))
    assert said.max_cost == int(limit * NANO)


@pytest.mark.parametrize(("text", "floor"), [(b"0", 0.0), (b"0.02", 0.02), (b"1", 1.0), (b"1.0", 1.0)])
def test_a_floor_may_be_anything_from_none_to_all_quality(text: bytes, floor: float) -> None:
    """Both ends are meant: only the best will do, or the cheapest will."""
    assert directives(headers((b"x-farthing-quality-floor", text))).quality_floor == floor


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (b"OpenAI/Python 3.52.0", "OpenAI"),
        (b"curl/8", "curl"),
        (b"", None),
        (b"/1", None),
        (b"a\x1bb/1", None),
        (b"x" * 100, "x" * 64),
    ],
)
def test_a_program_is_known_by_its_first_word(agent: bytes, name: str | None) -> None:
    """As long as that can be shown."""
    assert app_name(headers((b"user-agent", agent))) == name


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:8000", b"app.localhost", b"127.0.0.1:80", b"127.1.2.3", b"[::1]"]
)
def test_this_machine_goes_by_these_names(host: bytes) -> None:
    """An open gateway answers to them."""
    check_is_local(Headers([(b"host", host)]))


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"10.0.0.1"])
def test_a_page_whose_name_points_here_is_turned_away(host: bytes) -> None:
    """It would read the ledger with the visitor's browser."""
    with pytest.raises(InvalidRequest) as caught:
        check_is_local(Headers([(b"host", host)]))
    assert caught.value.code == "invalid_host"


@pytest.mark.parametrize(("raw", "user"), [("Łukasz".encode(), "Łukasz"), ("Jürgen".encode("latin-1"), "Jürgen")])
def test_names_in_headers_are_read_as_they_were_written(raw: bytes, user: str) -> None:
    """In UTF-8, or where they are not that, in Latin-1."""
    assert directives(headers((b"x-farthing-user", raw))).user == user


def test_an_idempotency_key_is_what_the_caller_wrote() -> None:
    """Quotes, spaces and all; without one there is none."""
    assert directives(headers((b"Idempotency-Key", b'"8e03978e 1"'))).idempotency_key == '"8e03978e 1"'
    assert directives(headers((b"x-farthing-user", b"ann"))).idempotency_key is None


@pytest.mark.parametrize("value", [b"", b"x" * 256, b"a\tb", b"a\x7f", "ключ".encode()])
def test_a_key_that_cannot_be_one_is_refused(value: bytes) -> None:
    """Empty, too long, or with what no log shows."""
    with pytest.raises(InvalidRequest) as refused:
        directives(headers((b"idempotency-key", value)))
    assert (refused.value.code, refused.value.param) == ("invalid_idempotency_key", "idempotency-key")
