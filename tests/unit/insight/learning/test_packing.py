"""A predictor comes back from its bytes as it was."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.learning.labels import Labelled, Outcome
from farthing.insight.learning.packing import FORMAT, packed, unpacked
from farthing.insight.learning.training import fit

PROMPTS = [f"What is {number} times {number + 1}?" for number in range(12)]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """One that has learned a little."""
    return fit(
        [
            Labelled(prompt, {"small": Outcome(number % 2, 0.001), "large": Outcome(1.0, 0.01)})
            for number, prompt in enumerate(PROMPTS)
        ]
    )


def sent(value: object) -> bytes:
    """Whatever somebody may have packed."""
    return bytes([FORMAT]) + zlib.compress(msgspec.msgpack.encode(value))


def test_it_foretells_the_same(predictor: Predictor) -> None:
    """To the last digit, in a small part of the room."""
    raw = packed(predictor)
    found = unpacked(raw)
    assert found.models == predictor.models
    for one, other in zip(found.predict_many(PROMPTS), predictor.predict_many(PROMPTS), strict=True):
        assert np.array_equal(one, other)
    assert len(raw) < predictor.of_terms.nbytes / 4


def test_the_vocabulary_is_not_kept_with_it(predictor: Predictor) -> None:
    """It is this worker's own, once."""
    found = unpacked(packed(predictor))
    assert found.vocabulary is predictor.vocabulary
    assert found.encoder.vectors is predictor.vocabulary.vectors


def test_what_one_does_not_have_is_not_kept(predictor: Predictor) -> None:
    """So that a release that knows nothing of it can read the rest; what it has comes back."""
    told = msgspec.msgpack.decode(zlib.decompress(packed(predictor)[1:]))
    encoder = told[2]["encoder"]
    assert "meanings" in encoder[2]
    assert "embeddings" not in encoder[2]
    embeddings = np.eye(2, 3, dtype=np.float32)
    reading = replace(predictor, encoder=replace(predictor.encoder, embeddings=embeddings))
    found = unpacked(packed(reading)).encoder.embeddings
    assert found is not None
    assert found.tolist() == embeddings.tolist()


def test_named_and_nested_parts_come_back(predictor: Predictor) -> None:
    """Whatever a predictor is made of."""
    forecast = predictor.predict(PROMPTS[0])["small"]
    odd = replace(predictor, models=("_Part", "b"), means=(forecast, 1.5, None))
    found = unpacked(packed(odd))
    assert (found.models, found.means) == (odd.models, odd.means)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes([FORMAT + 1]) + zlib.compress(b"x"),
        bytes([FORMAT]) + b"no compressed bytes",
        bytes([FORMAT]) + zlib.compress(b"\xc1"),
        sent("a text"),
        sent(["?"]),
        sent(["_Part", ["subprocess", "run"], {"args": "true"}]),
        sent(["_Part", ["farthing.domain.routing.learning.predictor", "Gone"], {}]),
        sent(["_Part", ["farthing.domain.routing.learning.gone", "Predictor"], {}]),
        sent(["_Part", ["farthing.domain.routing.learning.predictor", "Predictor"], {"models": "small"}]),
    ],
)
def test_what_is_none_is_refused(raw: bytes) -> None:
    """Other releases' as well; nothing is called that is no part of a predictor."""
    with pytest.raises(ValueError, match="this release cannot read it"):
        unpacked(raw)
