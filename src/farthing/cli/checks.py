"""What `farthing doctor` looks at. Nothing here calls a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import asdict

from farthing.cli.database import CLOCK
from farthing.cli.listening import listen
from farthing.cli.terminal import CommandError
from farthing.domain.errors import FarthingError
from farthing.settings import SHORTEST_KEY, ProviderAccess, Settings, SettingsError, reachable, without_password

Health = Literal["ok", "warning", "broken"]

_SECONDS = 2.0
_MAX_DRIFT_S = 2.0
_OLD_DAYS = 120
OWN_CONNECTIONS = 7
"""What a worker may open beside the pool of `database.pool_max`: to write, to refresh, for requests, to migrate."""


class Finding(Struct, frozen=True):
    """What one check found; `mend` says what to do where not all is well."""

    check: str
    health: Health
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def of_mistakes(error: SettingsError) -> list[Finding]:
    """Each mistake of a configuration that cannot be used."""
    return [Finding("configuration", "broken", str(mistake), "mend this line") for mistake in error.mistakes]


async def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which things build on one another."""
    file = str(settings.config_path) if settings.config_path else "no file, so defaults and the environment"
    return [
        Finding("configuration", "ok", file),
        *_of_providers(settings),
        _of_access(settings),
        await _of_database(settings),
        *await _of_plans(settings),
        *await _of_connections(settings),
        *await _of_redis_and_clock(settings),
        _of_prices(),
        _of_port(settings),
    ]


def _of_providers(settings: Settings) -> Iterator[Finding]:
    if settings.demo:
        mend = "set a vendor's key, such as OPENAI_API_KEY, or configure a provider in farthing.toml"
        yield Finding("providers", "warning", "none, so the gateway would be a demo", mend)
    for provider in settings.providers.values():
        yield _of_provider(provider)


def _of_provider(provider: ProviderAccess) -> Finding:
    """Whether a needed key is there and stays secret on its way; not whether it is accepted."""
    check, detail = f"provider {provider.name}", f"{provider.dialect} at {provider.base_url}"
    if provider.lacks_key:
        return Finding(check, "broken", f"{detail}, without a key", f"set {' or '.join(provider.api_key_envs)}")
    if provider.api_key and provider.base_url.startswith("http://") and not _is_near(provider.base_url):
        return Finding(check, "warning", f"{detail}: the key travels unencrypted", "use an https:// address")
    return Finding(check, "ok", detail)


def _is_near(url: str) -> bool:
    """Whether the address lies on this machine or in a private network, as far as the text tells."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".svc"))


def _of_access(settings: Settings) -> Finding:
    if settings.has_short_key:
        mend = f"take at least {SHORTEST_KEY} random characters"
        health: Health = "warning" if settings.is_loopback else "broken"
        return Finding("access", health, "FARTHING_MASTER_KEY is short enough to be guessed", mend)
    if settings.needs_key:
        mend = "set FARTHING_MASTER_KEY, unless `farthing keys list` shows a key"
        return Finding("access", "warning", f"{settings.server.host} can be reached by others, no master key", mend)
    return Finding(
        "access", "ok", "with a key" if settings.master_key else "this machine only, open unless a key exists"
    )


async def _of_database(settings: Settings) -> Finding:
    from farthing.store import is_current

    url = settings.lasting_database.url.get_secret_value()
    shown = without_password(url)
    if _is_missing_file(shown):
        return Finding("database", "ok", f"{shown} is made at the first start")
    try:
        current = await is_current(url)
    except (FarthingError, OSError) as error:
        mend = "start it, or correct database.url; the gateway starts without it and keeps what happens in its journal"
        return Finding("database", "broken", f"{shown}: {_reason(error)}", mend)
    if not current:
        mend = "run `farthing migrate`; `farthing serve` does so by itself"
        return Finding("database", "warning", f"{shown}: the schema is behind or missing", mend)
    return Finding("database", "ok", f"{shown}, schema up to date")


async def _of_plans(settings: Settings) -> list[Finding]:
    """Whether the settings name each plan that a tenant is on; nothing where nobody is on any, or nobody can say."""
    from farthing.app.plans import some

    plans = await _plans_in_use(settings.lasting_database.url.get_secret_value())
    found = [
        Finding(
            "plans",
            "broken",
            f'no plan is called "{plan}", and {some(tenants)} on it: refused',
            f"name it as [plans.{plan}], or move them: farthing tenants set TENANT --plan NAME",
        )
        for plan, tenants in sorted(plans.items())
        if plan not in settings.plans
    ]
    return found or ([Finding("plans", "ok", "each that a tenant is on is named")] if plans else [])


async def _plans_in_use(url: str) -> Mapping[str, Sequence[str]]:
    from farthing.store import is_current, open_store

    if _is_missing_file(without_password(url)):
        return {}
    store = open_store(url, clock=CLOCK)
    try:
        return await store.tenancy.plans() if await is_current(url) else {}
    except (FarthingError, OSError):
        # That the database is away has been said.
        return {}
    finally:
        await store.aclose()


async def _of_connections(settings: Settings) -> list[Finding]:
    """Whether PostgreSQL, or PgBouncer before it, lets all workers have the connections that they may open."""
    url = settings.lasting_database.url.get_secret_value()
    if not url.startswith("postgresql:"):
        return []
    workers = settings.server.workers
    wanted = workers * (settings.database.pool_max + OWN_CONNECTIONS)
    try:
        allowed, is_direct = await _most_connections(url)
    except OSError:
        # That the database is away has been said.
        return []
    detail = f"up to {wanted} connections for {workers} of `server.workers`"
    if not is_direct:
        return [Finding("connections", "ok", f"{detail} to PgBouncer, which shares few of PostgreSQL's {allowed}")]
    detail += f", PostgreSQL has {allowed} for all"
    if wanted > allowed:
        mend = "raise max_connections, put PgBouncer in transaction mode before it, or lower database.pool_max"
        return [Finding("connections", "warning", detail, mend)]
    return [Finding("connections", "ok", detail)]


async def _most_connections(url: str) -> tuple[int, bool]:
    """How many connections PostgreSQL takes, and whether we speak to itself. Raises `OSError`."""
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=_SECONDS, command_timeout=_SECONDS, statement_cache_size=0)
    except asyncpg.PostgresError as error:
        raise ConnectionError(str(error)) from error
    try:
        allowed = await connection.fetchval("SELECT current_setting('max_connections')::int")
        # Whoever stands between shows a process of its own making.
        is_direct = await connection.fetchval("SELECT pg_backend_pid()") == connection.get_server_pid()
    finally:
        await connection.close(timeout=_SECONDS)
    return allowed, is_direct


def _is_missing_file(url: str) -> bool:
    """Whether this is an embedded database that nobody has needed yet; connecting would make an empty one."""
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()


async def _of_redis_and_clock(settings: Settings) -> list[Finding]:
    now = CLOCK.now_us() / 1e6
    if settings.redis.url is None:
        return [_of_clock(now, None), Finding("redis", "ok", "not configured: each process keeps its own fast state")]
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    url = settings.redis.url.get_secret_value()
    client = Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    try:
        await client.ping()
        seconds, microseconds = await client.time()
        policy = await _eviction_policy(client)
    except (RedisError, OSError) as error:
        mend = "start it, or correct redis.url; the gateway works without it, each process with its own fast state"
        finding = Finding("redis", "broken", f"{without_password(url)}: {_reason(error)}", mend)
        return [_of_clock(now, None), finding]
    finally:
        await client.aclose()
    drift = CLOCK.now_us() / 1e6 - (seconds + microseconds / 1e6)
    return [_of_clock(now, drift), _of_eviction(f"{without_password(url)} answers", policy)]


async def _eviction_policy(client: Any) -> str:  # noqa: ANN401 (redis is imported late)
    """What Redis does when its memory is full; empty where it does not say or has no limit."""
    from redis.exceptions import RedisError

    try:
        facts = await client.info("memory")
    except RedisError:
        return ""
    return str(facts.get("maxmemory_policy", "")) if facts.get("maxmemory") else ""


def _of_eviction(detail: str, policy: str) -> Finding:
    """Answers have a time to live and may go early; what counts money and rates may not."""
    mend = "set maxmemory-policy to volatile-lru"
    if policy.startswith("allkeys"):
        return Finding("redis", "warning", f"{detail}; when full it forgets budgets and rates ({policy})", mend)
    if policy == "noeviction":
        return Finding("redis", "warning", f"{detail}; when full it keeps nothing new ({policy})", mend)
    return Finding("redis", "ok", detail)


def _of_clock(now: float, drift: float | None) -> Finding:
    """A clock that is behind the day of the installation is wrong for certain; one that disagrees with Redis may be."""
    shown = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    mend = "switch time synchronisation on (NTP): budgets, prices and reports go by the clock"
    if now < Path(__file__).stat().st_mtime - _MAX_DRIFT_S:
        return Finding("clock", "broken", f"{shown} is before this program was installed", mend)
    if drift is not None and abs(drift) > _MAX_DRIFT_S:
        return Finding("clock", "warning", f"{shown} is {drift:+.1f} s off Redis's clock", mend)
    return Finding("clock", "ok", shown)


def _of_prices() -> Finding:
    """How old the price data is, judged by its newest price that already holds."""
    from farthing.providers.prices import price_data

    now = datetime.fromtimestamp(CLOCK.now_us() / 1e6, UTC)
    known = price_data(now)
    detail = f"{known.source}, newest price of {known.newest}"
    if known.newest is None or (now.date() - date.fromisoformat(known.newest)).days > _OLD_DAYS:
        mend = "install a newer release of Farthing, or set prices under [[models]]"
        return Finding("price data", "warning", detail, mend)
    return Finding("price data", "ok", detail)


def _of_port(settings: Settings) -> Finding:
    """Whether the gateway could listen, or does so already."""
    host, port = settings.server.host, settings.server.port
    try:
        [listener] = listen(host, port)
        listener.close()
    except CommandError as error:
        if _is_gateway(reachable(host), port):
            return Finding("port", "ok", f"a gateway answers on {host}, port {port}")
        said, _, mend = str(error).partition(": ")
        return Finding("port", "broken", said, mend)
    return Finding("port", "ok", f"{port} of {host} is free")


def _is_gateway(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        return response.status == HTTPStatus.OK and b'"ok"' in response.read(100)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _reason(error: BaseException) -> str:
    """What went wrong at the bottom of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join((str(error) or type(error).__name__).split())
