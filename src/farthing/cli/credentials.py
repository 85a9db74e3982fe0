"""farthing credentials: the keys for providers that tenants bring along, sealed in the database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table

if TYPE_CHECKING:
    from farthing.domain.credentials import Credential
    from farthing.providers.vault import Vault
    from farthing.settings import Settings

CREDENTIALS = typer.Typer(help="Keep, list and forget tenants' own keys for providers.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Whose key it is.")]


@CREDENTIALS.callback()
def _credentials(*, config: ConfigFile = None) -> None:
    from farthing.settings import export

    if config:
        export({"FARTHING_CONFIG": str(config)})


@CREDENTIALS.command("set")
def set_(
    provider: Annotated[str, typer.Argument(help="A configured provider.")], *, tenant: Tenant, as_json: AsJson = False
) -> None:
    """Keep a tenant's key for a provider, read from standard input; what the tenant asks there is then paid with it."""
    from secrets import randbits

    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.domain.credentials import Bond, Credential, hint_of, origin_of
    from farthing.domain.ids import RANDOM_BITS, uuid7
    from farthing.domain.secrecy import Secret

    settings = settings_for(None)
    vault = _vault(settings)
    access = settings.providers.get(provider)
    if access is None:
        known = ", ".join(settings.providers) or "none is configured"
        raise CommandError(f'there is no provider "{provider}" here ({known})')
    secret = _secret()
    now_us = CLOCK.now_us()
    bond = Bond(tenant, uuid7(now_us, randbits(RANDOM_BITS)), origin_of(access.base_url))
    credential = Credential(
        bond=bond,
        provider=provider,
        sealed=vault.seal(Secret(secret), bond),
        hint=hint_of(secret),
        created_at_us=now_us,
    )
    with_store(settings.lasting_database, lambda store: store.credentials.put(credential))
    _tell(credential, as_json=as_json, said=f"{tenant}'s key {credential.hint} for {provider} is kept")


@CREDENTIALS.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List which tenants have brought a key, by tenant and provider."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store

    kept = with_store(settings_for(None).lasting_database, lambda store: store.credentials.list())
    if as_json:
        print_json({"credentials": [_shown(credential) for credential in kept]})
        return
    columns = ["tenant", "provider", "key", "for"]
    print_table(columns, [[each.bond.tenant, each.provider, each.hint, each.bond.origin] for each in kept])


@CREDENTIALS.command()
def delete(
    provider: Annotated[str, typer.Argument(help="The provider.")], *, tenant: Tenant, as_json: AsJson = False
) -> None:
    """Forget a tenant's key: what it asks is paid with the gateway's own key again."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store

    with_store(settings_for(None).lasting_database, lambda store: store.credentials.delete(tenant, provider))
    if as_json:
        print_json({"tenant": tenant, "provider": provider, "state": "deleted"})
    else:
        print(f"{tenant}'s key for {provider} is forgotten")


@CREDENTIALS.command()
def reseal(*, as_json: AsJson = False) -> None:
    """Seal every key under the first of FARTHING_ENCRYPTION_KEY, so that the others can go."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store
    from farthing.providers.vault import CannotOpen

    settings = settings_for(None)
    vault = _vault(settings)
    unopened = 0

    def change(credential: Credential) -> bytes | None:
        nonlocal unopened
        if vault.is_newest(credential.sealed):
            return None
        try:
            return vault.seal(vault.open(credential.sealed, credential.bond), credential.bond)
        except CannotOpen:
            unopened += 1
            return None

    changed = with_store(settings.lasting_database, lambda store: store.credentials.reseal(change))
    if as_json:
        print_json({"resealed": changed, "unopened": unopened})
    else:
        print(f"{changed} keys are sealed anew")
    if unopened:
        raise CommandError(f"{unopened} keys cannot be opened: keep the key that they were sealed under beside the new")


def _vault(settings: Settings) -> Vault:
    from farthing.app.brought import build_vault

    vault = build_vault(settings)
    if vault is None:
        raise CommandError("set FARTHING_ENCRYPTION_KEY to 32 bytes in base64, as `openssl rand -base64 32` makes them")
    return vault


def _secret() -> str:
    """What is typed or piped in, never an argument: those can be read by everybody on the machine."""
    secret = typer.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    secret = secret.strip()
    if not secret or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise CommandError("expected the provider's key on standard input: printable ASCII without spaces")
    return str(secret)


def _shown(credential: Credential) -> dict[str, str]:
    return {
        "tenant": credential.bond.tenant,
        "provider": credential.provider,
        "hint": credential.hint,
        "origin": credential.bond.origin,
    }


def _tell(credential: Credential, *, as_json: bool, said: str) -> None:
    if as_json:
        print_json(_shown(credential))
    else:
        print(said)
