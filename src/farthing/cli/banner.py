"""What `farthing serve` says while it starts: at most 15 lines."""

from __future__ import annotations

from importlib.metadata import version

from farthing.providers import load_vendors
from farthing.providers.fake import DEMO_MODELS
from farthing.settings import Settings, without_password

_MAX_NAMES = 8


def banner(settings: Settings, address: str) -> list[str]:
    """The lines before the last one; the first tells a demo from the real thing."""
    if settings.demo:
        first = "DEMO MODE: simulated models only. Set a vendor's key, such as OPENAI_API_KEY, for real answers."
    else:
        first = f"Farthing {version('farthing')}"
    redis = settings.redis.url
    facts = {
        "address": address,
        "providers": _providers(settings),
        "models": _models(settings),
        "database": without_password(settings.database.url.get_secret_value()),
        "redis": without_password(redis.get_secret_value()) if redis else "none: each process keeps its fast state",
        "routing": _routing(settings),
        "access": _access(settings),
    }
    return [first, *(f"  {name:<10} {fact}" for name, fact in facts.items()), *_warnings(settings)]


def ready_line(seconds: float) -> str:
    """The last line."""
    return f"ready in {seconds:.2f} s"


def _providers(settings: Settings) -> str:
    if settings.demo:
        return "demo (simulated)"
    names = list(settings.providers)
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _models(settings: Settings) -> str:
    if settings.demo:
        return f"{len(DEMO_MODELS)} simulated"
    vendors = load_vendors()
    known = sum(len(vendors[access.vendor].models) for access in settings.providers.values() if access.vendor)
    if settings.models:
        return f"{len(settings.models)} configured"
    return f"{known} for auto, every other of these providers by its name" if known else "none: add [[models]]"


def _routing(settings: Settings) -> str:
    routing = settings.routing
    baseline = f", savings against {routing.baseline}" if routing.baseline else ""
    return f"{routing.strategy}, quality floor {routing.quality_floor:g}{baseline}"


def _access(settings: Settings) -> str:
    if settings.master_key:
        return "with a key"
    if settings.oidc:
        return f"with a key; people sign on at {settings.oidc.issuer}"
    return "with a key" if not settings.is_loopback else "from this machine; open unless a key exists"


def _warnings(settings: Settings) -> list[str]:
    """One line for the providers that have no key, if any."""
    lacking = [provider for provider in settings.providers.values() if provider.lacks_key]
    told = ", ".join(f"{provider.name} (set {' or '.join(provider.api_key_envs)})" for provider in lacking[:_MAX_NAMES])
    return [f"  no key for {told}"] if lacking else []
