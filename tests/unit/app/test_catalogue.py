"""Which models a configuration makes available, where, and at what price."""

from __future__ import annotations

import pytest

from farthing.app.catalogue import EVERYTHING, build_catalogue, build_providers, next_price_change
from farthing.domain.catalogue import Catalogue
from farthing.domain.chat import Usage
from farthing.domain.pricing import ToolFees
from farthing.domain.secrecy import Secret
from farthing.providers.fake import FakeTransport
from tests.unit.app.conftest import SettingsOf

NOW_US = 1_795_219_200_000_000
"""21 November 2026."""

LOCAL = """
[providers.local]
dialect = "openai"
base_url = "http://127.0.0.1:11434/v1"
headers = { "X-Team" = "core" }
[[models]]
name = "small"
provider = "local"
upstream = "llama-4-8b"
tier = "simple"
input_usd_per_mtok = 0.05
output_usd_per_mtok = 0.10
cached_usd_per_mtok = 0.01
context_tokens = 131072
capabilities = ["tools"]
[[models]]
name = "mystery"
provider = "local"
"""


def test_a_model_of_the_file_is_what_the_file_says(settings_of: SettingsOf) -> None:
    """Name, address, price and what it can do; what the file leaves out is taken to be possible, but not routed to."""
    catalogue = build_catalogue(settings_of(LOCAL), NOW_US)
    small, mystery = catalogue.models["small"], catalogue.models["mystery"]
    assert (small.upstream, small.tier, small.routed) == ("llama-4-8b", "simple", True)
    assert small.capabilities == {"tools"}
    assert small.price is not None
    assert small.price.cost(Usage(prompt=1_000_000, cached=1_000_000, completion=1_000_000)) == 160_000_000
    assert (mystery.price, mystery.routed, mystery.capabilities) == (None, False, EVERYTHING)
    assert catalogue.find("local/small") is small
    assert catalogue.baseline == "small"


def test_the_file_may_say_what_searches_cost(settings_of: SettingsOf) -> None:
    """By the thousand, beside the file's price or the vendor's; where nothing has a price, that has none either."""
    fees = "web_searches_usd_per_1k = 4.5\nfile_searches_usd_per_1k = 0\n"
    listed = f'{LOCAL}{fees}[[models]]\nname = "gpt-4o"\nprovider = "openai"\nfile_searches_usd_per_1k = 1\n'
    models = build_catalogue(
        settings_of(listed.replace("cached", f"{fees}cached"), OPENAI_API_KEY="sk-x"), NOW_US
    ).models
    own, known = models["small"].price, models["gpt-4o"].price
    assert own is not None
    assert known is not None
    assert (own.tools, own.version) == (ToolFees(web_searches=4_500_000, file_searches=0), "config, own fees")
    assert known.tools == ToolFees(web_searches=10_000_000, file_searches=1_000_000)
    assert known.cost(Usage(prompt=1_000_000)) == 2_500_000_000
    assert models["mystery"].price is None


def test_a_vendors_key_is_enough(settings_of: SettingsOf) -> None:
    """Its models of each tier are routed, all others can be asked by name, all at list prices."""
    catalogue = build_catalogue(settings_of(OPENAI_API_KEY="sk-x"), NOW_US)
    assert {model.tier for model in catalogue.models.values() if model.routed} == {"simple", "moderate", "complex"}
    by_name = catalogue.find("gpt-4o")
    assert by_name is not None
    assert (by_name.routed, by_name.provider) == (False, "openai")
    assert by_name.price is not None
    assert by_name.price.cost(Usage(prompt=1_000_000)) == 2_500_000_000
    assert catalogue.find("openai/gpt-4o") is by_name
    dearest = catalogue.compared
    assert dearest is not None
    assert dearest.tier == "complex"


def test_naming_models_keeps_auto_to_them(settings_of: SettingsOf) -> None:
    """Whoever lists models is not surprised by others of the same vendor."""
    text = '[[models]]\nname = "fast"\nprovider = "openai"\nupstream = "gpt-4o-mini"\ntier = "simple"\n'
    catalogue = build_catalogue(settings_of(text, OPENAI_API_KEY="sk-x"), NOW_US)
    assert [model.name for model in catalogue.models.values() if model.routed] == ["fast"]
    fast = catalogue.models["fast"]
    assert fast.price is not None
    assert fast.price.cost(Usage(prompt=1_000_000)) == 150_000_000
    assert (fast.context_tokens or 0) > 0
    assert catalogue.find("gpt-4o") is not None


def test_a_baseline_that_cannot_be_asked_has_its_price(settings_of: SettingsOf) -> None:
    """Savings against the model that would have been used, whether or not its vendor is configured."""
    catalogue = build_catalogue(settings_of('[routing]\nbaseline = "gpt-5.5"\n' + LOCAL), NOW_US)
    assert catalogue.find("gpt-5.5") is None
    assert catalogue.compared is not None
    assert catalogue.compared.price is not None


@pytest.mark.parametrize(("judge", "is_told"), [("small", False), ("gpt-99", True), ("mystery", True)])
def test_a_judge_that_cannot_judge_is_told_of(
    settings_of: SettingsOf, caplog: pytest.LogCaptureFixture, judge: str, *, is_told: bool
) -> None:
    """One that is not here, or whose cost nobody could hold."""
    build_catalogue(settings_of(f'[learning]\njudge = "{judge}"\n{LOCAL}'), NOW_US)
    assert (f"the judge {judge} is not here or has no price" in caplog.text) is is_told


def test_a_demo_has_judges_of_its_own(settings_of: SettingsOf, caplog: pytest.LogCaptureFixture) -> None:
    """A simulated model can judge, one that is bought elsewhere cannot."""
    build_catalogue(settings_of('[learning]\njudge = "demo/large"\n'), NOW_US)
    assert not caplog.text
    build_catalogue(settings_of('[learning]\njudge = "gpt-5.5"\n'), NOW_US)
    assert "the judge gpt-5.5 is not here" in caplog.text


def test_a_baseline_that_nobody_knows_is_said_to_be_unknown(
    settings_of: SettingsOf, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it, and nothing is compared with anything."""
    assert build_catalogue(settings_of('[routing]\nbaseline = "gpt-99"\n' + LOCAL), NOW_US).compared is None
    assert "gpt-99" in caplog.text


def test_the_demo_is_simulated_and_says_so(settings_of: SettingsOf) -> None:
    """Without a provider: three models of its own, labelled."""
    settings = settings_of()
    catalogue = build_catalogue(settings, NOW_US)
    assert catalogue.demo
    assert all(name.startswith("demo/") for name in catalogue.models)
    assert {model.provider for model in catalogue.models.values()} == {"demo"}
    assert all(provider.simulated for provider in build_providers(settings, FakeTransport()).values())
    assert next_price_change(settings, NOW_US) is None
    assert isinstance(catalogue, Catalogue)


def test_providers_carry_key_headers_and_deadlines(settings_of: SettingsOf) -> None:
    """And never show the key."""
    text = LOCAL.replace(
        'dialect = "openai"', 'dialect = "openai"\napi_key_env = "LOCAL_KEY"\ntimeouts = { idle_s = 7 }'
    )
    providers = build_providers(settings_of(text, LOCAL_KEY="sk-canary"), FakeTransport())
    local = providers["local"]
    assert (local.api_key, local.headers, local.deadlines.idle) == (Secret("sk-canary"), ((b"x-team", b"core"),), 7)
    assert "canary" not in repr(local)


def test_the_next_change_of_a_price_is_known(settings_of: SettingsOf) -> None:
    """Where a vendor charges by the hour, it lies within the day."""
    change = next_price_change(settings_of(DEEPSEEK_API_KEY="sk-x"), NOW_US)
    assert change is None or change > NOW_US


@pytest.mark.parametrize(
    ("text", "environ", "source", "has_day"),
    [
        ("", {"FARTHING_DEMO": "1"}, "demo", False),
        (LOCAL, {}, "farthing.toml", False),
        ("", {"OPENAI_API_KEY": "k"}, "genai-prices", True),
    ],
)
def test_where_prices_come_from_is_told(
    settings_of: SettingsOf, text: str, environ: dict[str, str], source: str, has_day: bool
) -> None:
    """List prices have an age; those of the file and of the demo have none."""
    prices = build_catalogue(settings_of(text, **environ), NOW_US).prices
    assert (prices.source.split()[0], prices.newest is not None) == (source, has_day)
