"""Pictures of callers: which addresses and which bytes are let through."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import pictures
from farthing.domain.errors import InvalidRequest

PATH = "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "http://example.com",
        "HTTPS://Cdn.Example.COM:8443/a/b.png?x=1&y=%20#z",
        "https://bücher.example/a.png",
        "https://example.com./a",
        "https://93.184.216.34/a.png",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/a.png",
        "https://example.com/@me?to=http://127.0.0.1/",
    ],
)
def test_public_addresses_pass(url: str) -> None:
    """Names, numbers of either protocol, any port, path and query."""
    pictures.check_address(url, PATH)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "x",
            "file:///etc/passwd",
            "ftp://example.com/a",
            "gopher://example.com",
            "javascript:alert(1)",
            "//x.com/a",
        ),
        *(
            "http://",
            "http:///a",
            "https:example.com",
            "http://localhost/a",
            "http://LOCALHOST:80",
            "http://a.localhost",
        ),
        *(
            "http://127.0.0.1/",
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433/",
            "http://0x7f000001",
            "http://017700000001",
        ),
        *("http://127.0.0.1./", "http://010.0.0.1", "http://10.0.0.1", "http://192.168.1.1", "http://172.16.0.1"),
        *("http://169.254.169.254/latest/meta-data", "http://100.64.0.1", "http://0.0.0.0", "http://224.0.0.1"),
        *(
            "http://255.255.255.255",
            "http://256.1.1.1",
            "http://1.2.3.4.5",
            "http://1.2.3.",
        ),
        *(
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fe80::1]",
        ),
        *(
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fc00::1]",
            "http://[fe80::1%25eth0]/",
            "http://[x]",
        ),
        *("http://[:::]", "http://user@example.com/", "http://user:pw@127.0.0.1", "http://example.com\\@127.0.0.1/"),
        *(
            "http://example.com\t/",
            "http://exa\nmple.com",
            "http://example.com/a b",
            "http://example.com/\x00",
            " http://x.com",
        ),
        *(
            "http://\uff11\uff12\uff17.0.0.1/",
            "http://\u2460\u2461\u2466.0.0.1",
            "http://\uff4c\uff4f\uff43\uff41\uff4chost/",
            "http://example.com:x/",
            "http://example.com%00.png",
        ),
        *(
            "http://router/",
            "http://printer.local",
            "http://metadata.google.internal/",
            "http://db.corp.",
            "http://a..com",
        ),
        *("http://127\u30020\u30020\u30021/", "http://.com", "http://%31%32%37.0.0.1/"),
    ],
)
def test_no_other_address_passes(url: str) -> None:
    """Other schemes, networks that are somebody's own, and whatever two readers could read differently."""
    with pytest.raises(InvalidRequest) as caught:
        pictures.check_address(url, PATH)
    assert (caught.value.code, caught.value.param) == ("url_not_allowed", PATH)


@given(st.binary(min_size=1, max_size=100), st.sampled_from(["image/png", "image/JPEG", "image/webp"]))
def test_pictures_pass(data: bytes, kind: str) -> None:
    """With their padding, without it, and in lines."""
    text = base64.b64encode(data).decode()
    for written in (text, text.rstrip("="), base64.encodebytes(data).decode(), base64.encodebytes(data * 3).decode()):
        pictures.check_data(kind, written, PATH)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        *(("image/svg+xml", "AAAA"), ("IMAGE/SVG+XML", "AAAA"), ("text/html", "AAAA"), ("", "AAAA")),
        *(("image/png", data) for data in ("", "=", "A", "AAAAA", "AA===", "A=AA", "AA-_", "AA A", "é", "%%%%", "\n")),
    ],
)
def test_what_no_model_could_see_does_not(kind: str, data: str) -> None:
    """Documents with scripts, other kinds, nothing, and what is no base64."""
    with pytest.raises(InvalidRequest) as caught:
        pictures.check_data(kind, data, PATH)
    assert (caught.value.code, caught.value.param) == ("invalid_image", PATH)


def test_a_picture_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own bytes, not in those of its text."""
    monkeypatch.setattr(pictures, "MAX_BYTES", 300)
    pictures.check_data("image/png", base64.b64encode(bytes(300)).decode(), PATH)
    with pytest.raises(InvalidRequest, match="over the limit of 300 bytes"):
        pictures.check_data("image/png", base64.b64encode(bytes(303)).decode(), PATH)
