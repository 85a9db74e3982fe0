"""Defaults, file and environment become one set of settings."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from farthing.domain.plans import TenantPlan
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from farthing.domain.signon import Admission, Place
from farthing.ports import Deadlines
from farthing.settings import SettingsError, export, load
from farthing.settings.resolved import AlertAccess, SignOnAccess
from farthing.settings.sections import (
    Document,
    MailSettings,
    ModelSettings,
    PlanSettings,
    ProviderSettings,
    ReportSettings,
    RouteSettings,
    Section,
    TimeoutSettings,
)
from tests.unit.settings.conftest import Load

ROOT = Path(__file__).parents[3]
LOCAL = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:1/v1/"\n'


def test_defaults_hold_where_nothing_is_said(settings_of: Load) -> None:
    """An empty folder and an empty environment give a gateway on loopback with the embedded database."""
    settings = settings_of()
    assert settings.config_path is None
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.1", 8000, 1)
    assert settings.server.max_body_bytes == 33_554_432
    assert (settings.database.pool_min, settings.database.pool_max) == (2, 10)
    assert settings.redis.url is None
    assert (settings.routing.strategy, settings.routing.quality_floor) == ("hybrid", 0.02)
    assert (settings.cache.enabled, settings.cache.ttl_s, settings.cache.semantic) == (True, 86_400, False)
    assert settings.prices.unpriced == "allow"


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(settings_of: Load) -> None:
    """Each source overrides the one before it, setting by setting."""
    text = "[server]\nport = 1111\nworkers = 2\n[cache]\nenabled = true\n"
    settings = settings_of(text, PORT="2222", FARTHING_CACHE__ENABLED="false", FARTHING_ROUTING__QUALITY_FLOOR="0.1")
    assert (settings.server.port, settings.server.workers, settings.server.host) == (2222, 2, "127.0.0.1")
    assert settings.cache.enabled is False
    assert settings.routing.quality_floor == 0.1


def test_the_gateways_own_variable_wins_over_the_platforms(settings_of: Load) -> None:
    """PORT and DATABASE_URL may be set for the whole machine; the FARTHING_ name is meant for us."""
    assert settings_of(None, PORT="1", FARTHING_SERVER__PORT="2").server.port == 2


def test_variables_that_kubernetes_sets_are_no_settings(settings_of: Load) -> None:
    """A service called farthing makes names such as FARTHING_PORT, which mean something else."""
    settings = settings_of(None, FARTHING_PORT="tcp://10.0.0.1:80", FARTHING_SERVICE_HOST="10.0.0.1")
    assert settings.server.port == 8000


def test_an_empty_variable_is_not_set(settings_of: Load) -> None:
    """Compose files write empty variables for what was left out."""
    settings = settings_of(None, PORT="", REDIS_URL="", FARTHING_SERVER__HOST="", FARTHING_MASTER_KEY=" ")
    assert (settings.server.port, settings.server.host, settings.redis.url) == (8000, "127.0.0.1", None)
    assert settings.master_key is None


def test_the_file_is_found_by_argument_then_variable_then_folder(tmp_path: Path, settings_of: Load) -> None:
    """The nearest naming of the file counts."""
    for name, port in (("argument", 1), ("variable", 2), ("farthing", 3)):
        (tmp_path / f"{name}.toml").write_text(f"[server]\nport = {port}\n")
    environ = {"HOME": "/home/ada", "FARTHING_CONFIG": "variable.toml"}
    assert load(Path("argument.toml"), environ).server.port == 1
    assert load(None, environ).server.port == 2
    assert load(None, {"HOME": "/home/ada"}).server.port == 3


def test_a_named_file_must_be_there(settings_of: Load) -> None:
    """A file that was asked for is never passed over in silence."""
    with pytest.raises(SettingsError, match=r"^gone\.toml: cannot be read: No such file or directory$"):
        settings_of(None, FARTHING_CONFIG="gone.toml")


def test_without_provider_and_key_it_is_a_demo(settings_of: Load) -> None:
    """The demo keeps to simulated models and its own database, even where another one is configured."""
    settings = settings_of('[routing]\nbaseline = "gpt-5.5"\n', DATABASE_URL="postgresql://x/real")
    assert settings.demo
    assert settings.database.url.get_secret_value() == "sqlite:////home/ada/.local/share/farthing/farthing-demo.db"
    assert (settings.providers, settings.models, settings.routing.baseline) == ({}, (), None)
    assert settings.lasting_database.url.get_secret_value() == "postgresql://x/real"


def test_a_demo_can_be_asked_for(settings_of: Load) -> None:
    """With FARTHING_DEMO=1 no configured provider and no key is used."""
    settings = settings_of(LOCAL, FARTHING_DEMO="1", OPENAI_API_KEY="sk-1")
    assert settings.demo
    assert (settings.providers, settings.vendor_keys) == ({}, {})
    assert settings.lasting_database == settings.database


def test_a_vendors_key_is_enough(settings_of: Load) -> None:
    """A key in the environment switches its vendor on, under every name the vendor's own tools use."""
    settings = settings_of(None, GOOGLE_API_KEY="g-key", GROQ_API_KEY=" ")
    assert not settings.demo
    assert list(settings.providers) == ["gemini"]
    gemini = settings.providers["gemini"]
    assert (gemini.vendor, gemini.dialect, gemini.lacks_key) == ("gemini", "gemini", False)
    assert gemini.api_key is not None
    assert gemini.api_key.get_secret_value() == "g-key"
    assert {name: key.get_secret_value() for name, key in settings.vendor_keys.items()} == {"GOOGLE_API_KEY": "g-key"}
    assert settings.database.url.get_secret_value() == "sqlite:////home/ada/.local/share/farthing/farthing.db"


def test_a_configured_provider_leaves_the_others_off(settings_of: Load) -> None:
    """A key that lies around sends no prompt to a vendor that the file does not name."""
    settings = settings_of(LOCAL, OPENAI_API_KEY="sk-1")
    assert list(settings.providers) == ["local"]
    local = settings.providers["local"]
    assert (local.base_url, local.vendor, local.api_key, local.lacks_key) == (
        "http://127.0.0.1:1/v1",
        None,
        None,
        False,
    )


def test_a_models_provider_is_configured_by_being_named(settings_of: Load) -> None:
    """A known vendor needs no section of its own."""
    settings = settings_of('[[models]]\nname = "a"\nprovider = "openai"\n', OPENAI_API_KEY="sk-1", GROQ_API_KEY="g")
    assert list(settings.providers) == ["openai"]
    assert not settings.providers["openai"].lacks_key


def test_a_provider_is_completed_from_vendor_and_environment(settings_of: Load) -> None:
    """What the file leaves out comes from what is known of the vendor, the key from the variable it names."""
    text = '[providers.openai]\napi_key_env = "MY_KEY"\nheaders = {"x-team" = "a"}\ntimeouts.connect_s = 1\n'
    openai = settings_of(text, MY_KEY="sk-mine", OPENAI_API_KEY="sk-other").providers["openai"]
    assert openai.dialect == "openai"
    assert openai.base_url.startswith("https://")
    assert openai.api_key is not None
    assert openai.api_key.get_secret_value() == "sk-mine"
    assert openai.headers["x-team"].get_secret_value() == "a"
    assert openai.deadlines == Deadlines(connect=1.0, first_token=120.0, idle=60.0, total=600.0)


def test_a_missing_key_is_known(settings_of: Load) -> None:
    """Whoever names a variable for the key can be told that it is not set."""
    assert settings_of(f'{LOCAL}api_key_env = "MY_KEY"\n').providers["local"].lacks_key


def test_prices_are_exact(settings_of: Load) -> None:
    """A price is the decimal number that was typed, not the nearest binary one."""
    text = f'{LOCAL}[[models]]\nname = "a"\nprovider = "local"\ninput_usd_per_mtok = 0.1\noutput_usd_per_mtok = 3\n'
    [model] = settings_of(text).models
    assert (model.input_usd_per_mtok, model.output_usd_per_mtok) == (Decimal("0.1"), Decimal(3))


def test_rules_of_routes_stand_in_the_order_of_the_file(settings_of: Load) -> None:
    """Nothing is allowed or promised that is not said."""
    text = """
        [learning]
        shadow_share = 0.1
        judge = "gpt-5.5"
        [[routes]]
        name = "support"
        where = "tag"
        value = "team=support"
        promise_points = 0.05
        [[routes]]
        name = "complete"
        where = "route"
        value = "/complete"
        cascade = true
        """
    promise = Promise(points=0.05, confidence=0.9)
    support = Rule(name="support", scope=Scope("tag", "team=support"), promise=promise)
    complete = Rule(name="complete", scope=Scope("route", "/complete"), cascade=True)
    assert settings_of(text).rules == (support, complete)
    assert settings_of(FARTHING_ROUTES='[{"name": "a", "where": "key", "value": "k"}]').rules == (
        Rule(name="a", scope=Scope("key", "k")),
    )


def test_a_plan_is_exact(settings_of: Load) -> None:
    """Dollars become nano-dollars and percents hundredths of one; what is left out does not limit."""
    text = """
        [plans.team]
        price_usd = 49
        markup_percent = 4.25
        monthly_budget_usd = 0.000000001
        max_cost_usd = 0.25
        models = ["auto"]
        """
    assert settings_of(text).plans == {
        "team": TenantPlan(
            name="team",
            price=49_000_000_000,
            markup_basis_points=425,
            monthly_budget=1,
            max_cost=250_000_000,
            allowed_models=frozenset({"auto"}),
        )
    }


def test_single_sign_on_is_completed_from_the_environment(settings_of: Load) -> None:
    """The issuer stays as it is written, addresses are compared in lower case, `none` is no role."""
    text = """
        [oidc]
        issuer = "https://login.example/"
        client_id = "farthing"
        public_url = "https://farthing.example/"
        admins = ["Ada@Example.com"]
        [oidc.roles]
        finops = "auditor"
        """
    assert settings_of(text, FARTHING_OIDC_CLIENT_SECRET="s3cret").oidc == SignOnAccess(
        issuer="https://login.example/",
        client_id="farthing",
        client_secret=SecretStr("s3cret"),
        public_url="https://farthing.example",
        scopes="openid email profile",
        admission=Admission(
            tenant="local", default_role=None, admins=frozenset({"ada@example.com"}), roles={"finops": "auditor"}
        ),
    )
    assert settings_of("").oidc is None


@pytest.mark.parametrize(("more", "tenant"), [("", None), ('tenant = "guests"', "guests")])
def test_groups_have_places(settings_of: Load, more: str, tenant: str | None) -> None:
    """Tenants or teams; beside them nobody is put anywhere unsaid."""
    text = f"""
        [oidc]
        issuer = "https://login.example/"
        client_id = "farthing"
        public_url = "https://farthing.example/"
        default_role = "member"
        {more}
        [oidc.places]
        acme = "acme"
        "4f1c-support" = "acme/support"
        """
    access = settings_of(text, FARTHING_OIDC_CLIENT_SECRET="s3cret").oidc
    assert access is not None
    assert access.admission == Admission(
        tenant=tenant,
        default_role="member",
        places={"acme": Place("acme"), "4f1c-support": Place("acme", "support")},
    )


def test_alerts_are_completed_from_the_environment(settings_of: Load) -> None:
    """Secrets come from the variables that the file names; lists are JSON."""
    text = '[alerts]\nwebhook_url = "https://hooks.example.com/a?b=c"\nwebhook_secret_env = "HOOK"\n'
    alerts = settings_of(
        text,
        HOOK="whsec_" + "QUJD" * 8,
        FARTHING_SMTP_PASSWORD="pass",
        FARTHING_ALERTS__EMAIL_TO='["a@b.example"]',
        FARTHING_ALERTS__SMTP__HOST="mail.example",
    ).alerts
    assert alerts == AlertAccess(
        webhook_url=SecretStr("https://hooks.example.com/a?b=c"),
        webhook_secret=SecretStr("whsec_" + "QUJD" * 8),
        email_to=("a@b.example",),
        smtp=MailSettings(host="mail.example"),
        smtp_password=SecretStr("pass"),
    )


def test_lists_and_tables_are_json_in_the_environment(settings_of: Load) -> None:
    """Models and headers can come from the environment as well, over what the file says of a provider."""
    settings = settings_of(
        LOCAL,
        FARTHING_MODELS='[{"name": "a", "provider": "local", "capabilities": ["tools"]}]',
        FARTHING_PROVIDERS__LOCAL__HEADERS='{"x-team": "a"}',
        FARTHING_PROVIDERS__LOCAL__TIMEOUTS__IDLE_S="7",
    )
    assert settings.models[0].capabilities == frozenset({"tools"})
    local = settings.providers["local"]
    assert (local.headers["x-team"].get_secret_value(), local.deadlines.idle) == ("a", 7.0)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("postgres://a:b@db:5/x", "postgresql://a:b@db:5/x"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_database_addresses_take_one_form(settings_of: Load, url: str, kept: str) -> None:
    """The older scheme that hosting platforms write is understood."""
    assert settings_of(LOCAL, DATABASE_URL=url).database.url.get_secret_value() == kept


def test_the_data_folder_follows_the_desktop_rules(settings_of: Load) -> None:
    """XDG_DATA_HOME moves the embedded database."""
    settings = settings_of(LOCAL, XDG_DATA_HOME="/data")
    assert settings.data_dir == Path("/data/farthing")
    assert settings.database.url.get_secret_value() == "sqlite:////data/farthing/farthing.db"


def test_no_secret_shows(settings_of: Load) -> None:
    """Settings can be printed and logged."""
    text = f'{LOCAL}api_key_env = "K"\nheaders = {{"x-key" = "canary-1"}}\n'
    settings = settings_of(
        text,
        K="canary-2",
        OPENAI_API_KEY="canary-3",
        FARTHING_MASTER_KEY="canary-4",
        DATABASE_URL="postgresql://u:canary-5@h/d",
        REDIS_URL="redis://:canary-6@h",
        FARTHING_ALERTS__WEBHOOK_URL="https://hooks.example.com/canary-7",
        FARTHING_WEBHOOK_SECRET="canary-8-canary-8",
        FARTHING_SMTP_PASSWORD="canary-9",
    )
    shown = (settings, settings.providers, settings.database, settings.vendor_keys, settings.alerts)
    assert "canary" not in f"{shown!r} {[str(part) for part in shown]}"


def test_what_is_exported_reaches_a_later_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Worker processes get the command line's options through the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARTHING_SERVER__WORKERS", "1")
    export({"FARTHING_SERVER__WORKERS": "7"})
    assert load().server.workers == 7


def every_setting() -> list[str]:
    """The path of each key of the file, with the names `local` and 0 for provider, model and route."""
    sections = {name: field.annotation for name, field in Document.model_fields.items()}
    owners = {**sections, "plans.team": PlanSettings, "providers.local": ProviderSettings, "models.0": ModelSettings}
    owners["routes.0"] = RouteSettings
    owners["reports.0"] = ReportSettings
    owners["providers.local.timeouts"] = TimeoutSettings
    owners["alerts.smtp"] = MailSettings
    return [
        f"{name}.{key}"
        for name, owner in owners.items()
        if isinstance(owner, type) and issubclass(owner, Section)
        for key in owner.model_fields
    ]


def _value(data: dict[str, Any], key: str) -> object:
    value: Any = data
    for name in key.split("."):
        value = value[int(name)] if isinstance(value, list) else value.get(name)
    return value


def test_every_setting_is_documented() -> None:
    """docs/configuration.md names each key."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    keys = {
        re.sub(r"^(plans\.team|providers\.local|models\.0|routes\.0|reports\.0)\.", "", key) for key in every_setting()
    }
    keys -= {"timeouts", "alerts.smtp"}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_the_example_shows_every_setting(settings_of: Load) -> None:
    """examples/farthing.toml.example loads as it stands and leaves no key out."""
    text = (ROOT / "examples/farthing.toml.example").read_text(encoding="utf-8")
    settings = settings_of(text, FARTHING_WEBHOOK_SECRET="sixteen bytes and more", FARTHING_OIDC_CLIENT_SECRET="x")
    assert list(settings.providers) == ["openai", "local"]
    data = tomllib.loads(text)
    assert {key for key in every_setting() if _value(data, key) is None} == set()
