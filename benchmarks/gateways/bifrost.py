"""Bifrost, which the package registries do not hold: its npm package only fetches a program from elsewhere."""

from __future__ import annotations

from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.installing import NotInstallable
from benchmarks.gateways.rig import Rig


class Bifrost(Contestant):
    """Reported, not measured."""

    title = "Bifrost"

    def __init__(self, rig: Rig) -> None:
        del rig
        raise NotInstallable("its npm package holds no gateway: it downloads a binary from the maker's own server")
