"""Defaults, then farthing.toml, then the environment: how settings come about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from farthing.domain.plans import TenantPlan
from farthing.domain.pricing import NANO
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from farthing.ports import Deadlines
from farthing.providers import Vendor, load_vendors
from farthing.providers.vault import sealing_key
from farthing.settings import environment
from farthing.settings.completion import alerts_of, incomplete, sign_on_of
from farthing.settings.document import Place, TomlFile, read_toml
from farthing.settings.environment import Variable, secret_in
from farthing.settings.mistakes import Mistake, SettingsError, key_of, mistakes_of, nearest
from farthing.settings.resolved import ProviderAccess, Settings
from farthing.settings.sections import (
    DatabaseSettings,
    Document,
    ModelSettings,
    PlanSettings,
    ProviderSettings,
    RouteSettings,
)

DEFAULT_FILE = Path("farthing.toml")


def load(config_path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings to run with. Raises `SettingsError` naming every mistake.

    Without `config_path` the file is the one that FARTHING_CONFIG names, else farthing.toml in the current folder
    where there is one. `environ` defaults to the process environment.
    """
    environ = environment.process_environment() if environ is None else environ
    file = _file(config_path, environ)
    document, source = _document(file, environment.variables(environ))
    vendors = load_vendors()
    if mistakes := [*_contradictions(document, vendors, source), *incomplete(document, source, environ)]:
        raise SettingsError(mistakes)
    vendor_keys = _vendor_keys(vendors, environ)
    asked_for_demo = environ.get(environment.DEMO) == "1"
    demo = asked_for_demo or not (document.providers or document.models or vendor_keys)
    data_dir = environment.data_dir(environ)
    return Settings(
        config_path=file.path if file else None,
        data_dir=data_dir,
        demo=demo,
        master_key=_master_key(environ),
        encryption_keys=_encryption_keys(environ),
        vendor_keys={} if demo else vendor_keys,
        server=document.server,
        database=_database(document, data_dir, demo=demo),
        lasting_database=_database(document, data_dir, demo=asked_for_demo),
        redis=document.redis,
        routing=document.routing.model_copy(update={"baseline": None}) if demo else document.routing,
        rules=tuple(map(_rule, document.routes)),
        learning=document.learning,
        cache=document.cache,
        prices=document.prices,
        log=document.log,
        alerts=alerts_of(document.alerts, environ),
        reports=document.reports,
        oidc=sign_on_of(document.oidc, environ),
        plans={name: _plan(name, plan) for name, plan in document.plans.items()},
        providers={} if demo else _providers(document, vendors, environ),
        models=() if demo else document.models,
        gateway=environ.get(environment.URL) or None,
    )


def _plan(name: str, plan: PlanSettings) -> TenantPlan:
    return TenantPlan(
        name=name,
        price=int(plan.price_usd * NANO),
        markup_basis_points=int(plan.markup_percent * 100),
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        concurrent_requests=plan.concurrent_requests,
        monthly_budget=_nano(plan.monthly_budget_usd),
        max_cost=_nano(plan.max_cost_usd),
        allowed_models=plan.models,
    )


def _nano(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd * NANO)


def _rule(route: RouteSettings) -> Rule:
    points = route.promise_points
    return Rule(
        name=route.name,
        scope=Scope(route.where, route.value),
        cascade=route.cascade,
        cascade_streams=route.cascade_streams,
        promise=None if points is None else Promise(points=points, confidence=route.promise_confidence),
    )


def _file(config_path: Path | None, environ: Mapping[str, str]) -> TomlFile | None:
    if config_path is None and (named := environ.get(environment.CONFIG)):
        config_path = Path(named)
    if config_path is None and not DEFAULT_FILE.exists():
        return None
    return read_toml(config_path or DEFAULT_FILE)


class _Sources:
    """Where each setting comes from, for messages."""

    def __init__(self, file: TomlFile | None, variables: list[Variable]) -> None:
        self._file = file
        self._variables = variables

    def __call__(self, place: Place) -> str:
        """The variable that made the setting, else its line in the file, else the variable nearest to it."""
        variables = {variable.name: _shared(variable.place, place) for variable in self._variables}
        for variable in reversed(self._variables):
            if variables[variable.name] == min(len(variable.place), len(place)):
                return variable.name
        if self._file and place[:1] in self._file.lines:
            return self._file.source(place)
        return max(variables, key=lambda name: variables[name], default="")


def _shared(one: Place, other: Place) -> int:
    """How many names both begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _document(file: TomlFile | None, variables: list[Variable]) -> tuple[Document, _Sources]:
    """The file checked by itself and strictly, then once more with the environment over it, whose values are texts."""
    data = dict(file.data) if file else {}
    source = _Sources(file, [])
    try:
        document = Document.model_validate_json(json.dumps(data, default=str), strict=True)
        if variables:
            source = _Sources(file, variables)
            document = Document.model_validate(_overlaid(data, variables))
    except ValidationError as error:
        raise SettingsError(mistakes_of(error, source, _names_at)) from error
    return document, source


def _overlaid(data: Mapping[str, Any], variables: list[Variable]) -> dict[str, Any]:
    """The file's data with the environment's values in place."""
    result = json.loads(json.dumps(data, default=str))
    for variable in variables:
        table = result
        for name in variable.place[:-1]:
            below = table.get(name)
            table[name] = table = below if isinstance(below, dict) else {}
        table[variable.place[-1]] = variable.value
    return dict(result)


def _names_at(place: Place) -> list[str]:
    """The names that the table at this place may hold."""
    match place:
        case ():
            model: Any = Document
        case ("providers", _):
            model = ProviderSettings
        case ("models", int()):
            model = ModelSettings
        case ("routes", int()):
            model = RouteSettings
        case _:
            name = str(place[-1])
            owner = ProviderSettings if name == "timeouts" else Document
            model = owner.model_fields[name].annotation
    return list(model.model_fields)


def _contradictions(document: Document, vendors: Mapping[str, Vendor], source: _Sources) -> list[Mistake]:
    """What is wrong only in view of the rest of the file and of the known vendors."""
    found = []

    def note(place: Place, problem: str) -> None:
        found.append(Mistake(source(place), key_of(place), problem))

    for name, provider in document.providers.items():
        if name not in vendors:
            hint = nearest(name, vendors)
            for field in ("dialect", "base_url"):
                if getattr(provider, field) is None:
                    note(("providers", name, field), f'expected a value: "{name}" is no known vendor{hint}')
    for position, model in enumerate(document.models):
        known = {*document.providers, *vendors}
        if model.provider not in known:
            hint = nearest(model.provider, known)
            problem = f'expected a configured provider or a known vendor, got "{model.provider}"{hint}'
            note(("models", position, "provider"), problem)
    for table, named in (
        ("models", document.models),
        ("routes", document.routes),
        ("reports", document.reports),
    ):
        for position, name in _repeated([one.name for one in named]):
            note((table, position, "name"), f'expected every name once: "{name}" stands above already')
    return found


def _repeated(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    seen = set[str]()
    for position, name in enumerate(names):
        if name in seen:
            yield position, name
        seen.add(name)


def _master_key(environ: Mapping[str, str]) -> SecretStr | None:
    """The master key; an empty one counts as none, so that it never opens anything."""
    key = environ.get(environment.MASTER_KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        problem = "expected printable ASCII without spaces, as it must fit into an HTTP header"
        raise SettingsError([Mistake(environment.MASTER_KEY, "", problem)])
    return SecretStr(key) if key else None


def _encryption_keys(environ: Mapping[str, str]) -> tuple[SecretStr, ...]:
    """The keys that tenants' secrets are sealed under, the one in force first."""
    keys = [key.strip() for key in environ.get(environment.ENCRYPTION_KEY, "").split(",") if key.strip()]
    try:
        for key in keys:
            sealing_key(key)
    except ValueError as error:
        raise SettingsError([Mistake(environment.ENCRYPTION_KEY, "", str(error))]) from error
    return tuple(map(SecretStr, keys))


def _vendor_keys(vendors: Mapping[str, Vendor], environ: Mapping[str, str]) -> dict[str, SecretStr]:
    names = [name for vendor in vendors.values() for name in vendor.api_key_envs]
    return {name: key for name in names if (key := secret_in([name], environ))}


def _database(document: Document, data_dir: Path, *, demo: bool) -> DatabaseSettings:
    if not demo and document.database.url.get_secret_value():
        return document.database
    name = "farthing-demo.db" if demo else "farthing.db"
    return document.database.model_copy(update={"url": SecretStr(f"sqlite:///{data_dir.absolute() / name}")})


def _providers(
    document: Document, vendors: Mapping[str, Vendor], environ: Mapping[str, str]
) -> dict[str, ProviderAccess]:
    """The providers that the file configures or its models name; where it does neither, those with a key.

    Naming one switches the others off: a key that lies in the environment for another program sends no prompt anywhere.
    """
    names = [*document.providers, *(model.provider for model in document.models)]
    if not names:
        names = [vendor.name for vendor in vendors.values() if secret_in(vendor.api_key_envs, environ)]
    return {
        name: _access(name, document.providers.get(name, ProviderSettings()), vendors.get(name), environ)
        for name in dict.fromkeys(names)
    }


def _access(name: str, provider: ProviderSettings, vendor: Vendor | None, environ: Mapping[str, str]) -> ProviderAccess:
    if provider.api_key_env:
        api_key_envs: tuple[str, ...] = (provider.api_key_env,)
    else:
        api_key_envs = vendor.api_key_envs if vendor else ()
    timeouts = provider.timeouts
    known_to_respond = vendor is not None and vendor.responses and provider.base_url is None
    return ProviderAccess(
        name=name,
        dialect=provider.dialect or (vendor.dialect if vendor else ""),
        base_url=provider.base_url or (vendor.base_url if vendor else ""),
        vendor=vendor.name if vendor else None,
        api_key=secret_in(api_key_envs, environ),
        api_key_envs=api_key_envs,
        headers=provider.headers,
        deadlines=Deadlines(
            connect=timeouts.connect_s,
            first_token=timeouts.first_token_s,
            idle=timeouts.idle_s,
            total=timeouts.total_s,
        ),
        has_responses=known_to_respond if provider.responses is None else provider.responses,
    )
