"""A picture's tokens follow from its size, which is read without reading the picture."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.vision import LEAST_TOKENS, MOST_TOKENS, picture_tokens, size_of

SIDE = st.integers(1, 16_383)


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x06\x00\x00\x00"


def gif(width: int, height: int) -> bytes:
    """The beginning of a GIF."""
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\xf7\x00\x00"


def jpeg(width: int, height: int, *, before: int = 0) -> bytes:
    """A JPEG up to its frame, with so many bytes of a camera's notes and a table before that."""
    frame = b"\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03"
    notes = b"\xff\xe1" + (before + 2).to_bytes(2, "big") + b"x" * before
    return b"\xff\xd8" + notes + b"\xff\xc4\x00\x08tables" + frame


def webp(kind: bytes, body: bytes) -> bytes:
    """The beginning of a WebP."""
    return b"RIFF\x00\x01\x00\x00WEBP" + kind + b"\x00\x01\x00\x00" + body


def lossy(width: int, height: int) -> bytes:
    """A plain WebP, its scales beside the sizes."""
    sides = (width | 0x4000).to_bytes(2, "little") + (height | 0x8000).to_bytes(2, "little")
    return webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + sides)


def lossless(width: int, height: int) -> bytes:
    """A WebP without loss."""
    return webp(b"VP8L", b"\x2f" + ((width - 1) | (height - 1) << 14 | 1 << 28).to_bytes(4, "little"))


def extended(width: int, height: int) -> bytes:
    """A WebP with more than one picture's data."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x10\x00\x00\x00" + sides)


def text(raw: bytes) -> str:
    """As it comes in a request, with the rest of a file behind it."""
    return b64encode(raw + b"\x00" * 64).decode()


@given(SIDE, SIDE, st.sampled_from([png, gif, jpeg, lossy, lossless, extended]))
def test_every_format_tells_its_size(width: int, height: int, written: object) -> None:
    """In its own place and order of bytes."""
    assert callable(written)
    assert size_of(text(written(width, height))) == (width, height)


@pytest.mark.parametrize("before", [1, 2, 3, 4_096, 65_533])
def test_a_camera_may_say_much_before_the_picture(before: int) -> None:
    """A JPEG's frame is found behind it, wherever it falls in the base64."""
    assert size_of(text(jpeg(4_000, 3_000, before=before))) == (4_000, 3_000)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "AAAA",
        "A",
        "\N{EURO SIGN}",
        text(b"BM" + b"\x01" * 60),
        text(png(0, 5)),
        text(webp(b"ALPH", b"\x01" * 20)),
        text(b"\xff\xd8" + b"\x00" * 20),
        b64encode(b"\xff\xd8\xff\xe1\xff\xff").decode(),
        text(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 70 + jpeg(9, 9)[2:]),
    ],
)
def test_what_tells_no_size_has_no_estimate(data: str) -> None:
    """Another format, an end before the size, no side at all, or more notes than any camera makes."""
    assert size_of(data) is None
    assert picture_tokens(data) is None


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ((1, 1), LEAST_TOKENS),
        ((200, 200), LEAST_TOKENS),
        ((1_000, 1_000), 36 * 36),
        ((1_092, 1_092), 39 * 39),
        ((1_568, 1_176), 56 * 42),
        ((2_576, 28), LEAST_TOKENS),
        ((28 * 60, 28 * 80), MOST_TOKENS),
        ((8_000, 8_000), MOST_TOKENS),
        ((5_152, 560), 92 * 10),
    ],
)
def test_a_picture_is_as_many_tokens_as_squares(size: tuple[int, int], tokens: int) -> None:
    """Of 28 pixels, after what is too large was made smaller; never fewer than the least, never more than the most."""
    assert picture_tokens(text(png(*size))) == tokens
