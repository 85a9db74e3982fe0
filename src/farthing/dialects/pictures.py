"""Pictures of callers: an address that anybody may fetch, or whole bytes of a kind that models can see."""

from __future__ import annotations

import re
import unicodedata

from farthing.dialects.strict import invalid
from farthing.domain.errors import InvalidRequest

MAX_BYTES = 20 * 1024 * 1024
"""Of a picture within a request."""
_URL = re.compile(
    r"https?://(?:\[([0-9a-f:.]+)\]|([^\s/?#@:\\\[\]%\x00-\x1f]+))(?::[0-9]{1,5})?(?:[/?#][^\s\\\x00-\x1f]*)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_PRIVATE_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "arpa")
"""Top levels that no public address has."""
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE = b"\r\n"
_NOT_SEEN = frozenset({"image/svg+xml", "image/svg"})
"""Documents that may hold scripts, and that no vendor takes for a picture."""
_TRANSLATED = bytes.fromhex("0064ff9b") + bytes(8)
"""How addresses begin behind which a gateway between the protocols reaches one of the older kind (RFC 6052)."""


def check_address(url: str, path: str) -> None:
    """Raises `InvalidRequest` for what is no http address, or leads to somebody's own network.

    The gateway fetches nothing; a vendor, or a server of one's own, does.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise _not_allowed(path)
    literal, name = found.groups()
    if literal is not None:
        if not _is_public(literal):
            raise _not_allowed(path)
        return
    labels = unicodedata.normalize("NFKC", name).lower().rstrip(".").split(".")
    host = ".".join(labels)
    if _NUMBER.fullmatch(labels[-1]):
        if not _QUAD.fullmatch(host) or not _is_public(host):
            raise _not_allowed(path)
    elif len(labels) == 1 or labels[-1] in _PRIVATE_NAMES or not all(labels):
        raise _not_allowed(path)


def check_data(media_type: str, data: str, path: str) -> None:
    """Raises `InvalidRequest` for a picture that no model could see: of another kind, too large, or no base64."""
    kind = media_type.lower()
    if not kind.startswith("image/") or kind in _NOT_SEEN:
        raise invalid(path, "Send a picture such as image/png or image/jpeg", code="invalid_image")
    if len(data) > MAX_BYTES // 3 * 4:
        raise invalid(path, f"This picture is over the limit of {MAX_BYTES:,} bytes", code="invalid_image")
    if not _is_base64(data):
        raise invalid(path, "This is no base64, or not all of it", code="invalid_image")


def _is_base64(data: str) -> bool:
    if not data.isascii():
        return False
    # Megabytes are looked at once: what is left without the alphabet's own is short.
    text = data.encode()
    rest = text.translate(None, _BASE64)
    padding = rest.translate(None, _SPACE)
    if padding and (padding not in (b"=", b"==") or text[text.index(b"=") :].rstrip(_SPACE) != padding):
        return False
    size = len(text) - len(rest)
    return size > 0 and size % 4 != 1


def _is_public(literal: str) -> bool:
    """Whether an address of the internet protocol is one of the world's, also where it wraps one of the older kind."""
    # Not at the top: the library is loaded by whoever first sends a picture's address.
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(literal)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            address = inner
        elif address.packed.startswith(_TRANSLATED):
            address = ip_address(address.packed[-4:])
    return address.is_global and not address.is_multicast


def _not_allowed(path: str) -> InvalidRequest:
    return invalid(path, "Send a public https address or a data URL", code="url_not_allowed")
