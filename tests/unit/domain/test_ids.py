"""Identifiers sort by age and read as UUIDs."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.ids import RANDOM_BITS, uuid7

MOMENTS = st.integers(min_value=0, max_value=2**47 * 1000)
BITS = st.integers(min_value=0, max_value=2**RANDOM_BITS - 1)


def test_the_example_of_the_standard_is_reproduced() -> None:
    """RFC 9562, appendix A.6: 22 February 2022, 19:22:22.00 GMT, with a fraction of 0.797 ms."""
    assert uuid7(0x017F22E279B0 * 1000 + 797, 0x18C4DC0C0C07398F) == "017f22e2-79b0-7cc0-98c4-dc0c0c07398f"


@given(moment=MOMENTS, bits=BITS)
def test_every_identifier_is_a_uuid_of_version_7(moment: int, bits: int) -> None:
    """The standard library reads version, variant, and the millisecond it was made in."""
    read = uuid.UUID(uuid7(moment, bits))
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert str(read) == uuid7(moment, bits)
    assert read.int >> 80 == moment // 1000


@given(moment=MOMENTS, later=st.integers(min_value=1, max_value=10**9), bits=BITS, others=BITS)
def test_a_later_microsecond_sorts_later(moment: int, later: int, bits: int, others: int) -> None:
    """Text order is age order, whatever the random bits are."""
    assert uuid7(moment, bits) < uuid7(moment + later, others)


@given(moment=MOMENTS, bits=BITS, others=BITS)
def test_one_moment_gives_as_many_identifiers_as_random_bits(moment: int, bits: int, others: int) -> None:
    """No random bit is lost."""
    assert (uuid7(moment, bits) == uuid7(moment, others)) is (bits == others)


def test_surplus_random_bits_change_nothing_else() -> None:
    """Only the lowest 62 bits are used."""
    assert uuid7(1, 2**200 + 5) == uuid7(1, 5)
