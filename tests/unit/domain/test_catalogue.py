"""Names lead to models."""

from farthing.domain.catalogue import Catalogue, Model

SMALL = Model(name="gpt-small", provider="openai", upstream="gpt-small-2026", dialect="openai", tier="simple")
CATALOGUE = Catalogue(models={"gpt-small": SMALL}, aliases={"openai/gpt-small": "gpt-small", "gone": "gpt-gone"})


def test_a_model_is_found_by_its_name_and_by_its_aliases() -> None:
    """Both the plain name and the one with the provider in front mean the same model."""
    assert CATALOGUE.find("gpt-small") is SMALL
    assert CATALOGUE.find("openai/gpt-small") is SMALL


def test_a_name_nobody_knows_finds_nothing() -> None:
    """Neither an unknown name, nor a part of one, nor an alias of a model that is gone, nor an empty name."""
    assert [CATALOGUE.find(name) for name in ("gpt-large", "gpt", "gone", "")] == [None, None, None, None]
