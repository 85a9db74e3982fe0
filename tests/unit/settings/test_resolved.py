"""What follows from settings."""

import pytest

from farthing.settings import without_password
from tests.unit.settings.conftest import Load


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("gateway.example", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_is_open_without_a_key(settings_of: Load, host: str, loopback: bool) -> None:
    """Whatever others can reach needs a master key, or a key in the database."""
    settings = settings_of(f'[server]\nhost = "{host}"\n')
    assert (settings.is_loopback, settings.needs_key) == (loopback, not loopback)
    assert not settings_of(f'[server]\nhost = "{host}"\n', FARTHING_MASTER_KEY="k").needs_key


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("gateway.example", "http://gateway.example:8000"),
    ],
)
def test_the_gateway_is_reached_where_it_listens(settings_of: Load, host: str, url: str) -> None:
    """An address that stands for every interface is reached on loopback."""
    assert settings_of(f'[server]\nhost = "{host}"\n').url == url


def test_each_database_has_its_own_journal(settings_of: Load) -> None:
    """Another database means another journal, a changed password does not."""

    def journal(url: str) -> str:
        return settings_of(None, GROQ_API_KEY="k", DATABASE_URL=url).journal_dir.as_posix()

    assert journal("postgresql://u:old@h/a") == journal("postgresql://u:new@h/a")
    assert len({journal(f"postgresql://u@h/{name}") for name in "abc"}) == 3


def test_another_gateway_can_be_asked(settings_of: Load) -> None:
    """FARTHING_URL leads the commands elsewhere."""
    assert settings_of(None, FARTHING_URL="https://gateway.example/").url == "https://gateway.example"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5/d?password=secret", "postgresql://u@h:5/d"),
        ("redis://:secret@h", "redis://h"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("sqlite:////data/farthing.db?x=1", "sqlite:////data/farthing.db"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Addresses may stand in a terminal."""
    assert without_password(url) == shown


def test_what_a_running_process_cannot_take_over_is_named(settings_of: Load) -> None:
    """Least of all an address that it does not listen on, which would open it to everybody."""
    running = settings_of('[server]\nhost = "0.0.0.0"\n[cache]\nttl_s = 60\n', FARTHING_MASTER_KEY="k")
    changed = settings_of('[server]\nhost = "127.0.0.1"\n[log]\nlevel = "debug"\n[cache]\nttl_s = 61\n')
    settings, waiting = running.taken_over(changed)
    assert waiting == ("[server]", "[log]", "FARTHING_MASTER_KEY")
    assert (settings.is_loopback, settings.needs_key, settings.cache.ttl_s) == (False, False, 61)
    assert running.taken_over(running) == (running, ())
