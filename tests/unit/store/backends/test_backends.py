"""A URL finds its database."""

from __future__ import annotations

import pytest

from farthing.store.backends import BACKENDS, backend_for


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///farthing.db", "sqlite"),
        ("sqlite:////var/lib/farthing.db", "sqlite"),
        ("postgresql://u:p@host/db?sslmode=require", "postgresql"),
        ("postgres://host/db", "postgresql"),
    ],
)
def test_the_scheme_names_the_backend(url: str, name: str) -> None:
    """Nothing is opened yet."""
    assert backend_for(url).name == name


@pytest.mark.parametrize("url", ["", "mysql://host/db", "farthing.db", "sqlite:///:memory:"])
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    """A URL may hold a password: the message says only what is expected."""
    with pytest.raises(ValueError, match="sqlite:///") as refused:
        backend_for(url)
    assert not url or url not in str(refused.value)


def test_every_backend_is_under_conformance() -> None:
    """Whoever adds one adds it to the fixture of tests/conformance/store."""
    assert set(BACKENDS) == {"sqlite", "postgresql", "postgres"}
