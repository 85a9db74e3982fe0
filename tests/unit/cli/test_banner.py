"""What the gateway says while it starts."""

from pathlib import Path

import pytest

from farthing.cli.banner import banner, ready_line
from farthing.settings import Settings, load

LOCAL = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'


def lines(tmp_path: Path, text: str = "", **environ: str) -> list[str]:
    """The banner of a gateway with this file and environment."""
    path = tmp_path / "farthing.toml"
    path.write_text(text)
    settings: Settings = load(path, {"HOME": "/home/ada", **environ})
    return banner(settings, "http://127.0.0.1:8000")


def test_a_demo_says_so_first(tmp_path: Path) -> None:
    """Nobody takes simulated answers for real ones."""
    said = lines(tmp_path)
    assert said[0].startswith("DEMO MODE")
    assert "  database   sqlite:////home/ada/.local/share/farthing/farthing-demo.db" in said


def test_a_real_gateway_names_what_it_uses(tmp_path: Path) -> None:
    """Address, providers, models, database, Redis, routing and access, and no secret."""
    model = '[[models]]\nname = "a"\nprovider = "local"\n[routing]\nbaseline = "a"\n[providers.openai]\n'
    said = lines(
        tmp_path,
        LOCAL + model,
        OPENAI_API_KEY="canary-1",
        FARTHING_MASTER_KEY="canary-2",
        DATABASE_URL="postgresql://u:canary-3@db/x",
        REDIS_URL="redis://:canary-4@cache:6379",
    )
    assert said[0].startswith("Farthing ")
    assert said[1:] == [
        "  address    http://127.0.0.1:8000",
        "  providers  local, openai",
        "  models     1 configured",
        "  database   postgresql://u@db/x",
        "  redis      redis://cache:6379",
        "  routing    hybrid, quality floor 0.02, savings against a",
        "  access     with a key",
    ]


@pytest.mark.parametrize(
    ("text", "models"),
    [
        (LOCAL, "none: add [[models]]"),
        ("[providers.openai]\n", "3 for auto, every other of these providers by its name"),
    ],
)
def test_models_are_counted(tmp_path: Path, text: str, models: str) -> None:
    """What `auto` may choose, or that there is nothing to ask."""
    assert f"  models     {models}" in lines(tmp_path, text)


def test_a_missing_key_is_told(tmp_path: Path) -> None:
    """A provider that will refuse every request is named with the variable to set."""
    assert lines(tmp_path, f'{LOCAL}api_key_env = "K"\n')[-1] == "  no key for local (set K)"


@pytest.mark.parametrize("count", [1, 9, 500])
def test_with_its_last_line_it_never_has_more_than_15(tmp_path: Path, count: int) -> None:
    """The start fits on a screen however much is configured."""
    text = "".join(
        f'[providers.p{n}]\ndialect = "openai"\nbase_url = "http://h/v1"\napi_key_env = "K"\n' for n in range(count)
    )
    assert len([*lines(tmp_path, text), ready_line(0.4)]) <= 15


def test_the_last_line_says_how_long_it_took() -> None:
    """Seconds to two places."""
    assert ready_line(0.4249) == "ready in 0.42 s"
