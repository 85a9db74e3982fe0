"""Secrets that are looked for wherever the gateway writes or says something."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from urllib.parse import quote

HEAD = 20
"""Characters at a secret's beginning that tell it as well."""


def canary(name: str) -> str:
    """A secret that occurs nowhere by chance, and that a URL must escape."""
    return f"cnry/{token_hex(12)}+{name}"


def forms(secret: str) -> Iterator[bytes]:
    """The secret as it may be written: plain, its beginning, escaped, in hexadecimal, and in base64 at any place."""
    data = secret.encode()
    yield data
    yield data[:HEAD]
    yield quote(secret, safe="").encode()
    yield quote(secret[:HEAD], safe="").encode()
    yield data[:HEAD].hex().encode()
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            # What stands before and behind it changes the first and the last characters.
            yield encode(b"\0" * offset + data)[4:-4]


def leaks(secrets: Mapping[str, str], sinks: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which secret, by name, stands in which sink, in capitals or not."""
    searched = {name: {form.lower() for form in forms(secret)} for name, secret in secrets.items()}
    folded = [(place, data.lower()) for place, data in sinks]
    return [
        f"{name} in {place}"
        for name, forms_of_it in searched.items()
        for place, data in folded
        if any(form in data for form in forms_of_it)
    ]
