"""The released SDKs before a running gateway before scripted vendors."""

from collections.abc import AsyncIterator, Iterator

import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from tests.clients.scripts import VENDOR_KEY, VENDORS, Vendor, settings
from tests.clients.vendors import Vendors
from tests.servers.application import Served
from tests.servers.gateway import Gateway, running

MASTER_KEY = "the-master-key-of-these-tests"


@pytest.fixture(scope="package")
def scripted() -> Iterator[tuple[Vendors, str]]:
    """Both vendors, and their address."""
    vendors = Vendors()
    with Served(vendors.application) as served:
        yield vendors, served.url


@pytest.fixture
def vendors(scripted: tuple[Vendors, str]) -> Vendors:
    """The vendors, whom nobody has asked yet."""
    scripted[0].asked.clear()
    return scripted[0]


@pytest.fixture(scope="package", params=["lane", "asgi"])
def gateway(request: pytest.FixtureRequest, scripted: tuple[Vendors, str]) -> Iterator[Gateway]:
    """A gateway that wants a key, with the fast lane and without."""
    lane = str(request.param == "lane")
    environment = {"TEST_VENDOR_KEY": VENDOR_KEY, "FARTHING_MASTER_KEY": MASTER_KEY, "FARTHING_SERVER__FAST_LANE": lane}
    with running(settings(scripted[1]), environment=environment) as gateway:
        yield gateway


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Who answers, whichever dialect the caller speaks."""
    chosen: Vendor = request.param
    return chosen


@pytest.fixture
def openai(gateway: Gateway, vendors: Vendors) -> Iterator[OpenAI]:
    """OpenAI's client as its users make it."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER_KEY) as client:
        yield client


@pytest.fixture
async def async_openai(gateway: Gateway, vendors: Vendors) -> AsyncIterator[AsyncOpenAI]:
    """The same for asyncio."""
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER_KEY) as client:
        yield client


@pytest.fixture
def anthropic(gateway: Gateway, vendors: Vendors) -> Iterator[Anthropic]:
    """Anthropic's client as its users make it."""
    with Anthropic(base_url=gateway.url, api_key=MASTER_KEY) as client:
        yield client


@pytest.fixture
async def async_anthropic(gateway: Gateway, vendors: Vendors) -> AsyncIterator[AsyncAnthropic]:
    """The same for asyncio."""
    async with AsyncAnthropic(base_url=gateway.url, api_key=MASTER_KEY) as client:
        yield client
