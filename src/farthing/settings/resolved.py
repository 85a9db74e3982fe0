"""The settings a process runs with: every default filled in, every key looked up."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr

from farthing.domain.plans import TenantPlan
from farthing.domain.routing.rules import Rule
from farthing.domain.signon import Admission
from farthing.ports import Deadlines
from farthing.settings.sections import (
    CacheSettings,
    DatabaseSettings,
    LearningSettings,
    LogSettings,
    MailSettings,
    ModelSettings,
    PriceSettings,
    RedisSettings,
    ReportSettings,
    RoutingSettings,
    ServerSettings,
)

LAME_DUCK_S = 5.0
"""Enough for two probes in a row, which is when balancers give up on a gateway."""
SHORTEST_KEY = 16
"""Characters of a master key that nobody guesses."""


FIXED: Mapping[str, str] = {
    "server": "[server]",
    "database": "[database]",
    "redis": "[redis]",
    "log": "[log]",
    "data_dir": "the data folder",
    "master_key": "FARTHING_MASTER_KEY",
    "encryption_keys": "FARTHING_ENCRYPTION_KEY",
}
"""What a process keeps for as long as it runs, and how people call it."""


class ProviderAccess(Struct, frozen=True, kw_only=True):
    """A provider ready to be asked: what the file says, completed by what is known of the vendor."""

    name: str
    dialect: str
    base_url: str
    vendor: str | None
    """Its name among the known vendors, None for a provider that only the file knows."""
    api_key: SecretStr | None
    api_key_envs: tuple[str, ...]
    """Variables that may hold the key, the first one set wins; empty where none is needed."""
    headers: Mapping[str, SecretStr]
    deadlines: Deadlines
    has_responses: bool = False
    """Whether it answers OpenAI's Responses API."""

    @property
    def lacks_key(self) -> bool:
        """Whether a key is expected and none of its variables is set."""
        return bool(self.api_key_envs) and self.api_key is None


class AlertAccess(Struct, frozen=True, kw_only=True):
    """Who hears of alerts, with the secrets that it takes."""

    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    email_to: tuple[str, ...] = ()
    smtp: MailSettings = MailSettings()
    smtp_password: SecretStr | None = None


class SignOnAccess(Struct, frozen=True, kw_only=True):
    """An identity provider, the gateway's name and secret there, and who may come in."""

    issuer: str
    client_id: str
    client_secret: SecretStr | None
    """None for a public client."""
    public_url: str
    scopes: str
    admission: Admission


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that the file and the environment decide. Secrets show as asterisks."""

    config_path: Path | None
    data_dir: Path
    demo: bool
    """Simulated models only: asked for, or because no provider and no vendor's key is known."""
    master_key: SecretStr | None
    encryption_keys: tuple[SecretStr, ...]
    """What tenants' own provider keys are sealed under: the first seals, any opens."""
    vendor_keys: Mapping[str, SecretStr]
    """Keys of known vendors by the name of their variable."""
    server: ServerSettings
    database: DatabaseSettings
    lasting_database: DatabaseSettings
    """Where a real gateway keeps its ledger and its keys: the same, except where there is nothing but a demo yet."""
    redis: RedisSettings
    routing: RoutingSettings
    rules: tuple[Rule, ...]
    """In the order of the file; names are unique."""
    learning: LearningSettings
    cache: CacheSettings
    prices: PriceSettings
    log: LogSettings
    plans: Mapping[str, TenantPlan]
    alerts: AlertAccess
    reports: tuple[ReportSettings, ...]
    """Sent each month; names are unique."""
    oidc: SignOnAccess | None
    """None without single sign-on."""
    providers: Mapping[str, ProviderAccess]
    """The configured ones; where none is, every known vendor whose key is in the environment. Empty in the demo."""
    models: tuple[ModelSettings, ...]
    gateway: str | None = None
    """Address of a running gateway that commands ask, where it is not the one that these settings describe."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the gateway."""
        host = self.server.host
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return host.lower() == "localhost"

    def taken_over(self, settings: Settings) -> tuple[Settings, tuple[str, ...]]:
        """What a process that runs with these goes on with, and what of the new ones has to wait for a restart."""
        waiting = [name for name in FIXED if getattr(settings, name) != getattr(self, name)]
        kept = {name: getattr(self, name) for name in FIXED}
        return replace(settings, **kept), tuple(FIXED[name] for name in waiting)

    @property
    def lame_duck_s(self) -> float:
        """Seconds in which balancers may find out that we are leaving; before loopback there is none, unless told."""
        told = self.server.lame_duck_s
        return told if told is not None else 0.0 if self.is_loopback else LAME_DUCK_S

    @property
    def needs_key(self) -> bool:
        """Whether the gateway may only start if the database holds a key: others reach it, and no master key is set."""
        return not self.is_loopback and self.master_key is None

    @property
    def has_short_key(self) -> bool:
        """Whether the master key is so short that it can be guessed."""
        return self.master_key is not None and len(self.master_key.get_secret_value()) < SHORTEST_KEY

    @property
    def journal_dir(self) -> Path:
        """Where the journal for this database lives; another database must never be fed from it."""
        return self.data_dir / "journal" / self._place

    @property
    def key_file(self) -> Path | None:
        """Where this host keeps what it knows of keys; None for an embedded database, which is on its disk itself."""
        is_embedded = self.database.url.get_secret_value().startswith("sqlite")
        return None if is_embedded else self.data_dir / "keys" / self._place

    @property
    def _place(self) -> str:
        address = without_password(self.database.url.get_secret_value())
        return sha256(address.encode()).hexdigest()[:16]

    @property
    def url(self) -> str:
        """Where this machine's commands reach the gateway."""
        if self.gateway:
            return self.gateway.rstrip("/")
        return address(reachable(self.server.host), self.server.port)


def reachable(host: str) -> str:
    """Where this machine reaches what listens on `host`, which may stand for every interface."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (read, never bound)


def address(host: str, port: int) -> str:
    """Host and port as a URL."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def without_password(url: str) -> str:
    """The address of a database or Redis as it may be shown: no password, and no options that might hold one."""
    parts = urlsplit(url)
    if parts.scheme in {"sqlite", "unix"}:
        return url.partition("?")[0]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{host}{port}{parts.path}"
