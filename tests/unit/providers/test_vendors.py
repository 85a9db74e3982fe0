"""What providers.toml says holds together, and agrees with the price data."""

import re

import pytest
from genai_prices import data
from genai_prices.types import ModelInfo

from farthing.domain.catalogue import TIERS
from farthing.domain.secrecy import Secret
from farthing.ports import Provider
from farthing.providers import PROVIDERS, Endpoint, Vendor, VendorModel, load_vendors
from farthing.providers.fake import FakeTransport, ScriptedTransport
from farthing.providers.upstream import checked_base_url, join

VENDORS = load_vendors().values()
ROUTED = [(vendor, model) for vendor in VENDORS for model in vendor.models]


def priced(vendor: Vendor, model: VendorModel) -> ModelInfo:
    """The model's entry in genai-prices."""
    provider = next(provider for provider in data.providers if provider.id == vendor.prices)
    found = provider.find_model(model.name)
    assert found is not None
    return found


def test_the_vendors_of_the_contract_are_known() -> None:
    """Every key that the configuration's documentation names belongs to a vendor."""
    keys = {key for vendor in VENDORS for key in vendor.api_key_envs}
    assert keys >= {
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "OPENROUTER_API_KEY",
        "CEREBRAS_API_KEY",
        "DEEPSEEK_API_KEY",
        "MISTRAL_API_KEY",
        "GROQ_API_KEY",
        "XAI_API_KEY",
        "TOGETHER_API_KEY",
    }
    assert {name for name, vendor in load_vendors().items() if not vendor.api_key_envs} == {
        "ollama",
        "vllm",
        "lmstudio",
    }


def test_no_key_belongs_to_two_vendors() -> None:
    """A key found in the environment is sent to one address only."""
    keys = [key for vendor in VENDORS for key in vendor.api_key_envs]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_addresses_are_usable(vendor: Vendor) -> None:
    """Every address is well formed, goes over TLS unless it is on this machine, and has a builder."""
    assert checked_base_url(vendor.base_url) == vendor.base_url
    assert vendor.base_url.startswith("https://") == bool(vendor.api_key_envs)
    assert vendor.kind in PROVIDERS


@pytest.mark.parametrize(("vendor", "model"), ROUTED, ids=lambda value: value.name)
def test_every_routed_model_has_a_price(vendor: Vendor, model: VendorModel) -> None:
    """`auto` never chooses a model whose cost is unknown, retired, or stated with another context window."""
    found = priced(vendor, model)
    prices = found.prices[-1].prices if isinstance(found.prices, list) else found.prices
    assert prices.input_mtok
    assert prices.output_mtok
    assert not found.deprecated
    assert found.context_window == model.context_tokens


def test_tiers_rise() -> None:
    """A vendor's models stand in the order of their tiers, few for each, under names that fit a request."""
    for vendor in VENDORS:
        tiers = [TIERS.index(model.tier) for model in vendor.models]
        assert tiers == sorted(tiers)
        assert all(tiers.count(tier) <= 2 for tier in tiers)
        assert all(re.fullmatch(r"[A-Za-z0-9._:/+@-]+", model.name) for model in vendor.models)


def test_vendors_cannot_be_changed() -> None:
    """The registry is read once and shared."""
    assert load_vendors() is load_vendors()
    with pytest.raises(TypeError):
        load_vendors()["new"] = load_vendors()["openai"]  # type: ignore[index]


def test_a_provider_is_built_from_an_endpoint() -> None:
    """Address, key, headers and deadlines end up in the provider; its representation holds no key."""
    transport = ScriptedTransport([])
    endpoint = Endpoint(name="local", dialect="openai", base_url="http://[::1]:1234/v1/", headers=((b"x-a", b"1"),))
    provider = PROVIDERS["http"](endpoint, transport, Secret("sk-secret"))
    assert provider == Provider(
        name="local",
        dialect="openai",
        base_url="http://[::1]:1234/v1",
        transport=transport,
        api_key=Secret("sk-secret"),
        headers=((b"x-a", b"1"),),
    )
    assert repr(provider) == "Provider('local', 'http://[::1]:1234/v1', ***)"


def test_the_demo_is_a_provider_like_any_other() -> None:
    """It is marked as simulated and takes nothing of the network."""
    endpoint = Endpoint(name="demo", dialect="openai", base_url="http://demo.invalid/v1")
    provider = PROVIDERS["demo"](endpoint, ScriptedTransport([]), None)
    assert provider.simulated
    assert isinstance(provider.transport, FakeTransport)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.example.com/v1",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com/v1?key=secret",
        "https://example.com/v1#secret",
        "https://example.com/a secret",
        "https://example.com/\r\nx: secret",
        "https://exämple.com",
        "https://example.com:99999",
        "https://example.com:0",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Anything but a plain http or https address is refused, and nothing of it repeated."""
    with pytest.raises(ValueError, match=r"expected an address|Port out of range") as caught:
        checked_base_url(address)
    assert "secret" not in str(caught.value)


def test_paths_are_appended_to_the_address() -> None:
    """One slash stands between address and path, whether or not the address ends with one."""
    assert join("https://a/v1", "/chat/completions") == "https://a/v1/chat/completions"
    assert join("https://a/v1/", "/chat/completions") == "https://a/v1/chat/completions"
