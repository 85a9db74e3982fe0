"""The providers' keys that tenants bring along, opened for the snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from secrets import token_bytes

from msgspec.structs import replace

from farthing.domain.credentials import Bond, Credential, origin_of
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.ports import Provider
from farthing.providers.vault import CannotOpen, Vault, sealing_key
from farthing.settings import Settings
from farthing.store.credentials import Credentials

logger = logging.getLogger(__name__)

Owner = tuple[str, str]
"""A tenant, and the provider that its key is for."""


def build_vault(settings: Settings) -> Vault | None:
    """What seals and opens, None where no key for it is configured."""
    keys = [sealing_key(key.get_secret_value()) for key in settings.encryption_keys]
    return Vault(keys, chance=token_bytes) if keys else None


def build_seal(settings: Settings) -> Callable[[Secret[str], Bond], bytes] | None:
    """What seals a key when one is brought, None where no key for it is configured."""
    vault = build_vault(settings)
    return None if vault is None else vault.seal


class BroughtKeys:
    """Reads them anew when one has come, gone or been replaced."""

    def __init__(self, credentials: Credentials, settings: Settings) -> None:
        self.providers: Mapping[Owner, Provider] = {}
        """Locked where a key cannot be opened: its tenant must not be served at somebody else's expense."""
        self._credentials = credentials
        self._settings = settings
        self._known: object = None

    @property
    def is_known(self) -> bool:
        """Whether the database has told: until then a tenant with a key of its own would be served with another."""
        return self._known is not None

    async def refresh(self, providers: Mapping[str, Provider]) -> bool:
        """Whether anything changed. While the database is away the last keys stay in force."""
        try:
            version = await self._credentials.version()
            if (version, providers) == self._known:
                return False
            kept = await self._credentials.list() if version[0] else []
        except Unavailable:
            return False
        self._known = version, providers
        before, self.providers = self.providers, dict(self._opened(kept, providers))
        return before != self.providers

    def lock(self, owners: Iterable[Owner], providers: Mapping[str, Provider]) -> None:
        """Until the database tells of their keys, these are served with nobody's."""
        self.providers = {
            (tenant, name): replace(providers[name], api_key=None, account=tenant, is_locked=True)
            for tenant, name in owners
            if name in providers
        }

    def _opened(self, kept: list[Credential], providers: Mapping[str, Provider]) -> Iterator[tuple[Owner, Provider]]:
        vault = build_vault(self._settings) if kept else None
        for credential in kept:
            tenant, provider = credential.bond.tenant, providers.get(credential.provider)
            if provider is None:
                continue
            try:
                key = _open(credential, vault, origin_of(provider.base_url))
            except CannotOpen as problem:
                logger.error("the key of tenant %s for %s cannot be used: %s", tenant, provider.name, problem)  # noqa: TRY400
                key = None
            own = replace(provider, api_key=key, account=tenant, is_locked=key is None)
            yield (tenant, provider.name), own


def _open(credential: Credential, vault: Vault | None, origin: str) -> Secret[str]:
    if vault is None:
        raise CannotOpen("FARTHING_ENCRYPTION_KEY is not set")
    if origin != credential.bond.origin:
        raise CannotOpen("the provider's address is not the one that it was brought for")
    return vault.open(credential.sealed, credential.bond)
