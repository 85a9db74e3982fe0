"""Secrets of virtual keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.secrets import PREFIX, RANDOM_BYTES, digest, hint, is_well_formed, mint

CHANCE = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
ZERO = f"{PREFIX}{'0' * 43}0aK3Hg"


def test_a_secret_is_its_bytes_in_base_62_with_a_checksum() -> None:
    """The written form stays as it is: keys of earlier releases keep working."""
    assert mint(bytes(RANDOM_BYTES)) == ZERO


@given(CHANCE)
def test_every_minted_secret_is_well_formed(random_bytes: bytes) -> None:
    """Whatever the chance, the secret has one length and passes its own check."""
    secret = mint(random_bytes)
    assert len(secret) == 61
    assert is_well_formed(secret)


@given(CHANCE, CHANCE)
def test_different_chance_gives_different_secrets(one: bytes, other: bytes) -> None:
    """Nothing of the 256 bits is lost on the way into letters."""
    assert (mint(one) == mint(other)) is (one == other)


@given(CHANCE, st.integers(0, 60), st.characters())
def test_one_wrong_character_is_noticed(random_bytes: bytes, place: int, wrong: str) -> None:
    """A secret with any one character changed is not well-formed."""
    secret = mint(random_bytes)
    altered = secret[:place] + wrong + secret[place + 1 :]
    assert is_well_formed(altered) is (altered == secret)


@pytest.mark.parametrize("text", ["", PREFIX, ZERO[:-1], f"{ZERO}0", ZERO.lower(), ZERO.replace("farthing", "other")])
def test_what_was_never_minted_is_not_well_formed(text: str) -> None:
    """Shortened, lengthened, re-cased and foreign keys are told apart."""
    assert not is_well_formed(text)


@pytest.mark.parametrize("random_bytes", [b"", bytes(31), bytes(33)])
def test_too_little_chance_mints_nothing(random_bytes: bytes) -> None:
    """A secret is never weaker than it looks."""
    with pytest.raises(ValueError, match="32 random bytes"):
        mint(random_bytes)


def test_the_stored_digest_is_fixed() -> None:
    """A digest stored by an earlier release still finds its key."""
    assert digest(ZERO).hex() == "1acd90fa405f57d6e441d16a07642c8f37656735a63a5f18388b45d534572ee8"


@given(st.text())
def test_any_text_has_a_digest(text: str) -> None:
    """Whatever a caller sends as its key can be looked up."""
    assert len(digest(text)) == 32


def test_a_hint_shows_four_characters_of_the_secret() -> None:
    """People recognise a key by its end."""
    assert hint(ZERO) == "sk-farthing-…K3Hg"
