"""Frozen settings from defaults, farthing.toml and the environment, which nothing else reads."""

from farthing.settings.environment import export
from farthing.settings.loading import load
from farthing.settings.mistakes import Mistake, SettingsError
from farthing.settings.resolved import SHORTEST_KEY, ProviderAccess, Settings, address, reachable, without_password
from farthing.settings.sections import DatabaseSettings, ModelSettings

__all__ = [
    "SHORTEST_KEY",
    "DatabaseSettings",
    "Mistake",
    "ModelSettings",
    "ProviderAccess",
    "Settings",
    "SettingsError",
    "address",
    "export",
    "load",
    "reachable",
    "without_password",
]
