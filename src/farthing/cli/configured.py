"""Settings for a command, with their mistakes as the command's own error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from farthing.cli.terminal import CommandError
from farthing.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from farthing.cli.client import Gateway


def settings_for(config: Path | None) -> Settings:
    """The settings to work with. Raises `CommandError`."""
    try:
        return load(config)
    except SettingsError as error:
        raise CommandError(str(error)) from error


def gateway_for(url: str | None, config: Path | None, *, patience_s: float = 30.0) -> Gateway:
    """The gateway that the command asks: the one named, else the one that the settings lead to.

    `patience_s` is how many seconds an answer may take.
    """
    from farthing.cli.client import Gateway

    settings = settings_for(config)
    key = settings.master_key.get_secret_value() if settings.master_key else None
    return Gateway(url or settings.url, key, patience_s=patience_s)
