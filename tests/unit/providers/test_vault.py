"""What is sealed opens where it belongs, and nowhere else."""

from __future__ import annotations

from base64 import b64encode
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.credentials import Bond
from farthing.domain.secrecy import Secret
from farthing.providers.vault import CannotOpen, Vault, sealing_key

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
BOND = Bond("acme", "c1", "https://api.example.com:443")


def vault(*keys: bytes) -> Vault:
    """With chance that is none."""
    return Vault(keys, chance=bytes)


@given(st.text(), st.builds(Bond, st.text(), st.text(), st.text()))
def test_what_was_sealed_is_opened(secret: str, bond: Bond) -> None:
    """Whatever the secret and its bond are made of, and it can be read nowhere in the seal."""
    sealed = vault(KEY).seal(Secret(secret), bond)
    assert vault(KEY).open(sealed, bond) == Secret(secret)
    assert len(secret) < 4 or secret.encode() not in sealed


@pytest.mark.parametrize(
    "elsewhere",
    [
        Bond("bolt", "c1", BOND.origin),
        Bond("acme", "c2", BOND.origin),
        Bond("acme", "c1", "https://evil.example:443"),
        Bond("acmec1", "", BOND.origin),
    ],
)
def test_a_seal_that_was_moved_does_not_open(elsewhere: Bond) -> None:
    """To another tenant, another id, another address, or to parts that only read the same when joined."""
    with pytest.raises(CannotOpen, match="another tenant, id or origin"):
        vault(KEY).open(vault(KEY).seal(Secret("secret"), BOND), elsewhere)


def test_a_changed_seal_does_not_open() -> None:
    """Whichever bit was turned."""
    sealed = vault(KEY).seal(Secret("secret"), BOND)
    for place, bit in product(range(len(sealed)), range(8)):
        changed = bytearray(sealed)
        changed[place] ^= 1 << bit
        with pytest.raises(CannotOpen):
            vault(KEY).open(bytes(changed), BOND)


@pytest.mark.parametrize("length", [0, 3, 4, 15, 20])
def test_a_torn_seal_does_not_open(length: int) -> None:
    """However much of it is left."""
    sealed = vault(KEY).seal(Secret("secret"), BOND)
    with pytest.raises(CannotOpen):
        vault(KEY).open(sealed[:length], BOND)


def test_an_old_key_opens_until_everything_is_sealed_anew() -> None:
    """The first key seals, any opens; without the old one what it sealed stays shut."""
    old = vault(OTHER_KEY).seal(Secret("secret"), BOND)
    both = vault(KEY, OTHER_KEY)
    assert both.open(old, BOND) == Secret("secret")
    assert not both.is_newest(old)
    new = both.seal(both.open(old, BOND), BOND)
    assert both.is_newest(new)
    assert vault(KEY).open(new, BOND) == Secret("secret")
    with pytest.raises(CannotOpen, match="a key that is not here"):
        vault(KEY).open(old, BOND)


def test_a_sealing_key_has_32_bytes() -> None:
    """In base64, blanks around it do not count."""
    assert sealing_key(f" {b64encode(KEY).decode()}\n") == KEY
    with pytest.raises(ValueError, match="expected 32 bytes in base64"):
        sealing_key(b64encode(KEY[:31]).decode())
    with pytest.raises(ValueError, match="expected base64"):
        sealing_key("?")
