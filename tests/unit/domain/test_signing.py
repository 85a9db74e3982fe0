"""Signatures that receivers can check with any Standard Webhooks library."""

from __future__ import annotations

import pytest

from farthing.domain.signing import secret_bytes, signature


def test_a_signature_is_the_one_that_the_specification_shows() -> None:
    """Id, moment and body joined by dots, under the decoded secret."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_plain_text_may_be_a_secret() -> None:
    """Blanks around it, as an editor leaves them, do not count."""
    assert secret_bytes(" sixteen bytes it is \n") == b"sixteen bytes it is"


@pytest.mark.parametrize("text", ["", " ", "\t\n" * 20, "short", "whsec_", "whsec_c2hvcnQ="])
def test_a_secret_that_could_be_guessed_is_none(text: str) -> None:
    """Nothing, blanks, and fewer than 16 bytes."""
    with pytest.raises(ValueError, match="expected at least 16 bytes"):
        secret_bytes(text)


def test_a_broken_secret_is_none() -> None:
    """What stands after the prefix must be base64."""
    with pytest.raises(ValueError, match="expected base64 after whsec_"):
        secret_bytes("whsec_" + "?" * 40)
