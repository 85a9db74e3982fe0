"""What farthing.toml may say: its sections, their defaults and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from farthing.domain.catalogue import Capability, Tier
from farthing.domain.keys import Errand, Role
from farthing.domain.pricing import NANO
from farthing.domain.scope import Where
from farthing.embeddings import lacking
from farthing.settings.kinds import (
    Address,
    BaseUrl,
    DatabaseUrl,
    HeaderName,
    HeaderValue,
    Host,
    Issuer,
    ModelName,
    Name,
    Offered,
    OwnModelName,
    PerMinute,
    PlaceName,
    Port,
    ProviderName,
    RedisUrl,
    Seconds,
    UsdPerDay,
    UsdPerMillionTokens,
    UsdPerThousand,
    VariableName,
    WebhookUrl,
)


class Section(BaseModel):
    """Frozen, and strict about keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class ServerSettings(Section):
    """Where and how the gateway listens."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """0 takes any free port."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that share the port."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    max_live_sockets: Annotated[int, Field(ge=0, le=100_000)] = 2_000
    """WebSockets that one worker keeps open; the next is refused with 429."""
    max_live_sockets_per_address: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    """As many of them may come from one address: all people behind one proxy."""
    max_live_sockets_per_caller: Annotated[int, Field(ge=0, le=100_000)] = 500
    """And as many with one key or of one person."""
    fast_lane: bool = True
    """Plain requests to the hot routes are answered inside the HTTP protocol; off, everything goes through ASGI."""
    overload_lag_ms: Annotated[int, Field(ge=0, le=10_000)] = 50
    """Lateness of a worker's loop at which it refuses a part of new requests; 0 refuses none."""
    lame_duck_s: Annotated[float, Field(ge=0, le=600)] | None = None
    """Seconds after SIGTERM in which `/readyz` says no and requests are still taken; None leaves it to the address."""
    drain_s: Annotated[int, Field(ge=0, le=3600)] = 30
    """Seconds that running requests have to end after that."""


class DatabaseSettings(Section):
    """Where the ledger is kept."""

    url: DatabaseUrl = SecretStr("")
    """Once loaded never empty: the default is a SQLite file under the data folder."""
    pool_min: Annotated[int, Field(ge=0, le=1000)] = 2
    pool_max: Annotated[int, Field(ge=1, le=1000)] = 10

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.pool_min > self.pool_max:
            raise ValueError(f"expected pool_min ({self.pool_min}) not to exceed pool_max ({self.pool_max})")
        return self


class RedisSettings(Section):
    """Fast state shared between processes and hosts; without a URL each process keeps its own."""

    url: RedisUrl | None = None
    key_prefix: Annotated[str, Field(max_length=64)] = ""


class RoutingSettings(Section):
    """How `auto` chooses."""

    strategy: Literal["complexity", "learning", "hybrid"] = "hybrid"
    baseline: ModelName | None = None
    """The model that would have been used without Farthing: savings are measured against it."""
    quality_floor: Annotated[float, Field(ge=0, le=1)] = 0.02
    """The most quality, in points of 0..1, that a cheaper answer may cost."""
    exploration: Annotated[float, Field(ge=0, le=0.2)] = 0.02
    """The share of requests that are answered by another model than the chosen one, once something is learned."""
    hold_back: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """The share of requests that the baseline, where one is set, answers to measure what routing saves."""
    pace_usd_per_request: Annotated[float, Field(gt=0, le=1_000)] | None = None
    """What a request may cost on average that is routed by what is learned; None leaves that open."""


class RouteSettings(Section):
    """What holds where the gateway chooses the model, for some requests."""

    name: Name
    where: Where
    value: Annotated[str, Field(max_length=256)]
    """A route's path, a key's id, or a tag as `name=value`."""
    cascade: bool = False
    """Whether a cheap answer may be asked first and checked."""
    cascade_streams: bool = False
    """Whether streams may be as well, which then begin late."""
    promise_points: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """How much worse than the baseline's, in points of 0..1, answers may be on average."""
    promise_confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9
    """How likely that holds, each time that it is tested."""

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        if self.where == "route" and not self.value.startswith("/"):
            raise ValueError('expected the path of a route in value, such as "/v1/chat/completions"')
        if self.where == "tag" and not all(self.value.partition("=")):
            raise ValueError('expected a tag as name=value in value, such as "team=support"')
        if self.cascade_streams and not self.cascade:
            raise ValueError("expected cascade = true beside cascade_streams")
        if self.cascade and self.promise_points is not None:
            raise ValueError("expected either cascade or promise_points: what is promised is tested on single answers")
        return self


class LearningSettings(Section):
    """What is learned from the gateway's own requests."""

    keep_prompts: bool = True
    """Whether questions are kept, to learn from those whose answers are rated."""
    implicit_feedback: bool = True
    """Whether a question that is asked again soon speaks against the answer before."""
    retrain_every_hours: Annotated[int, Field(ge=0, le=8_760)] = 24
    """0 trains by hand alone."""
    embeddings: Literal["none", "minilm"] = "none"
    """What tells, beside words and traits, what prompts are about."""
    shadow_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of routed requests that a second model is asked as well, once the caller has the answer."""
    shadow_usd_per_day: UsdPerDay = Decimal(1)
    """What that may cost in a day (UTC), over all workers and hosts."""
    judge: ModelName | None = None
    """The model that says how good both answers are."""
    judge_usd_per_day: UsdPerDay = Decimal(1)

    @field_validator("embeddings")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value != "none" and (missing := lacking()):
            raise ValueError(f"expected {', '.join(missing)} to be installed: run uv sync --extra embeddings")
        return value

    @model_validator(mode="after")
    def _somebody_judges(self) -> Self:
        if self.shadow_share and self.judge is None:
            raise ValueError("expected judge beside shadow_share: without one, nothing is learned from second answers")
        return self

    @property
    def errands(self) -> Mapping[Errand, int]:
        """What the gateway may spend on its own behalf in a day, in nano-dollars; nothing where it does not."""
        if not self.shadow_share:
            return {}
        return {"shadow": int(self.shadow_usd_per_day * NANO), "judge": int(self.judge_usd_per_day * NANO)}


class CacheSettings(Section):
    """Which answers are kept, and for how long."""

    enabled: bool = True
    ttl_s: Annotated[int, Field(ge=1, le=31_536_000)] = 86_400
    semantic: Offered = False


class PriceSettings(Section):
    """What to do where no price is known."""

    unpriced: Literal["allow", "refuse"] = "allow"
    """Whether a model without a price may be used; its cost is unknown, never zero."""


class PlanSettings(Section):
    """What a tenant pays, and may use, under a plan of this name."""

    price_usd: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2)] = Decimal(0)
    """A month, whatever is used."""
    markup_percent: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2)] = Decimal(0)
    """What an invoice adds to the cost of what was used."""
    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None
    concurrent_requests: PerMinute | None = None
    monthly_budget_usd: Annotated[Decimal, Field(gt=0, le=1_000_000_000, decimal_places=9)] | None = None
    """The most its requests may cost in a calendar month (UTC)."""
    max_cost_usd: Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=9)] | None = None
    """The most that one request may cost."""
    models: Annotated[frozenset[ModelName], Field(min_length=1)] | None = None
    """None allows every model."""


class SignOnSettings(Section):
    """The identity provider through which people come to the page and the admin API (OpenID Connect)."""

    issuer: Issuer | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    client_secret_env: VariableName = "FARTHING_OIDC_CLIENT_SECRET"  # noqa: S105 (a name)
    public_url: BaseUrl | None = None
    """Where browsers reach the gateway."""
    scopes: Annotated[str, Field(min_length=6, max_length=255)] = "openid email profile"
    tenant: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Whom people belong to whom no group puts elsewhere; None is `local`, and beside places nobody."""
    default_role: Role | Literal["none"] = "none"
    admins: tuple[Address, ...] = ()
    group_claim: Annotated[str, Field(min_length=1, max_length=255)] = "groups"
    roles: dict[str, Role] = Field(default_factory=dict)
    """By group; of several groups the first that stands here counts."""
    places: dict[str, PlaceName] = Field(default_factory=dict)
    """Tenants, or teams as `tenant/team`, by group."""


class MailSettings(Section):
    """The server that takes the gateway's mail."""

    host: Host | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_env: VariableName = "FARTHING_SMTP_PASSWORD"  # noqa: S105 (a name)
    sender: Address = "farthing@localhost"


class AlertSettings(Section):
    """Who hears that a budget nears its end."""

    webhook_url: WebhookUrl | None = None
    """A secret itself: whoever knows it may post there."""
    webhook_secret_env: VariableName = "FARTHING_WEBHOOK_SECRET"  # noqa: S105 (a name)
    """The variable with the secret that signs; without one nothing is sent."""
    email_to: tuple[Address, ...] = ()
    smtp: MailSettings = MailSettings()


class ReportSettings(Section):
    """A report that is sent each month, over the mail server and the webhook of alerts."""

    name: Name
    email_to: tuple[Address, ...] = ()
    webhook: bool = False
    tenant: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Whose month it tells; None is everybody's."""
    formats: Annotated[tuple[str, ...], Field(min_length=1, validate_default=True)] = ("pdf",)
    """What a mail has attached, and a webhook's message points to."""
    day: Annotated[int, Field(ge=1, le=28)] = 1
    """Of the month after."""
    hour: Annotated[int, Field(ge=0, le=23)] = 6
    """In UTC."""

    @field_validator("formats")
    @classmethod
    def _can_be_written(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        # Only a gateway that sends reports pays for the import.
        from farthing.reports import FORMATS, lacking

        if unknown := [name for name in names if name not in FORMATS]:
            raise ValueError(f'expected formats among {", ".join(FORMATS)}, got "{unknown[0]}"')
        if missing := [name for name in names if lacking(name)]:
            raise ValueError(f"expected what {missing[0]} needs to be installed: run uv sync --extra {missing[0]}")
        return names

    @model_validator(mode="after")
    def _somebody_gets_it(self) -> Self:
        if not self.email_to and not self.webhook:
            raise ValueError("expected email_to or webhook = true: nobody would get it")
        return self


class LogSettings(Section):
    """What the process writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class TimeoutSettings(Section):
    """How long a provider may take, in seconds."""

    connect_s: Seconds = 5.0
    first_token_s: Seconds = 120.0
    idle_s: Seconds = 60.0
    total_s: Seconds = 600.0


class ProviderSettings(Section):
    """A provider as the file names it; a known vendor needs none of the fields."""

    dialect: Literal["openai", "anthropic", "gemini"] | None = None
    base_url: BaseUrl | None = None
    responses: bool | None = None
    """Whether it answers OpenAI's Responses API; None means what is known of the vendor at its own address."""
    api_key_env: VariableName | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    timeouts: TimeoutSettings = TimeoutSettings()


class ModelSettings(Section):
    """A model as callers name it, at a configured provider."""

    name: OwnModelName
    provider: str
    upstream: ModelName | None = None
    """What the provider calls it; None means `name`."""
    tier: Tier | None = None
    """None leaves it to what is known of the model; where nothing is, `auto` does not choose it."""
    input_usd_per_mtok: UsdPerMillionTokens | None = None
    output_usd_per_mtok: UsdPerMillionTokens | None = None
    cached_usd_per_mtok: UsdPerMillionTokens | None = None
    web_searches_usd_per_1k: UsdPerThousand | None = None
    """What the provider takes for its own searches of the web; None leaves it to the price data."""
    file_searches_usd_per_1k: UsdPerThousand | None = None
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    capabilities: frozenset[Capability] | None = None

    @model_validator(mode="after")
    def _both_prices_or_none(self) -> Self:
        if (self.input_usd_per_mtok is None) != (self.output_usd_per_mtok is None):
            raise ValueError("expected both input_usd_per_mtok and output_usd_per_mtok, or neither")
        if self.cached_usd_per_mtok is not None and self.input_usd_per_mtok is None:
            raise ValueError("expected input_usd_per_mtok beside cached_usd_per_mtok")
        return self


class Document(Section):
    """The whole of farthing.toml."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    routing: RoutingSettings = RoutingSettings()
    routes: tuple[RouteSettings, ...] = ()
    learning: LearningSettings = LearningSettings()
    cache: CacheSettings = CacheSettings()
    prices: PriceSettings = PriceSettings()
    log: LogSettings = LogSettings()
    alerts: AlertSettings = AlertSettings()
    reports: tuple[ReportSettings, ...] = ()
    oidc: SignOnSettings = SignOnSettings()
    plans: dict[Name, PlanSettings] = Field(default_factory=dict)
    providers: dict[ProviderName, ProviderSettings] = Field(default_factory=dict)
    models: tuple[ModelSettings, ...] = ()
