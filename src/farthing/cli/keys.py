"""farthing keys: who may ask. Works on the database, so also before the gateway's first start."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table

if TYPE_CHECKING:
    from farthing.domain.keys import Caller, Key
    from farthing.store import Store

KEYS = typer.Typer(help="Make, list and revoke the keys that callers show.", no_args_is_help=True)

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_MAX_NAME = 200
_OWNER_PARTS = 3

Models = Annotated[
    list[str] | None, typer.Option("--model", help="A model it may use; repeat for more.", show_default="all")
]


@KEYS.callback()
def _keys(*, config: ConfigFile = None) -> None:
    from farthing.settings import export

    if config:
        export({"FARTHING_CONFIG": str(config)})


@KEYS.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the key.")],
    *,
    owner: Annotated[str | None, typer.Option(help="TENANT, TENANT/TEAM or TENANT/TEAM/USER.")] = None,
    model: Models = None,
    expires: Annotated[str | None, typer.Option(help="12h, 30d, 8w, or a day such as 2027-01-31.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="It may use admin routes and sees every tenant.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret, this once."""
    from secrets import randbits, token_bytes

    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.domain.ids import RANDOM_BITS, uuid7
    from farthing.domain.keys import Key
    from farthing.domain.secrets import RANDOM_BYTES, digest, hint, mint

    now_us = CLOCK.now_us()
    secret = mint(token_bytes(RANDOM_BYTES))
    caller = _caller(owner, uuid7(now_us, randbits(RANDOM_BITS)), models=model, is_admin=admin)
    key = Key(caller=caller, name=_checked(name), hint=hint(secret), expires_at_us=_expiry(expires, now_us))
    with_store(
        settings_for(None).lasting_database, lambda store: store.keys.create(key, digest(secret), created_at_us=now_us)
    )
    if as_json:
        print_json({**_shown(key, now_us), "secret": secret})
    else:
        print(secret)
        typer.echo(f"key {caller.key_id} ({key.name}): this is the only time that its secret is shown", err=True)


@KEYS.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List all keys, the oldest first."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store

    keys = with_store(settings_for(None).lasting_database, lambda store: store.keys.list())
    shown = [_shown(key, CLOCK.now_us()) for key in keys]
    if as_json:
        print_json({"keys": shown})
        return
    columns = ["id", "name", "key", "owner", "models", "admin", "expires", "state"]
    print_table(columns, [_row(key) for key in shown])


@KEYS.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, or its name where no other key has the same.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Block a key for good."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store

    async def work(store: Store) -> str:
        found = [
            held.caller.key_id or ""
            for held in await store.keys.list()
            if key == held.caller.key_id or (key == held.name and not held.is_blocked)
        ]
        if len(found) != 1:
            problem = f"{len(found)} keys are" if found else "no key is"
            raise CommandError(f'{problem} called "{key}": name one by its id, as `farthing keys list` shows it')
        await store.keys.revoke(found[0], revoked_at_us=CLOCK.now_us())
        return found[0]

    key_id = with_store(settings_for(None).lasting_database, work)
    if as_json:
        print_json({"key_id": key_id, "state": "revoked"})
    else:
        print(f"key {key_id} is revoked")


def is_usable(key: Key, now_us: int) -> bool:
    """Whether a caller can still come in with this key."""
    return not key.is_blocked and (key.expires_at_us is None or key.expires_at_us > now_us)


def _caller(owner: str | None, key_id: str, *, models: list[str] | None, is_admin: bool) -> Caller:
    from farthing.domain.keys import LOCAL_CALLER, Caller

    parts = (owner or LOCAL_CALLER.tenant).split("/")
    if len(parts) > _OWNER_PARTS:
        raise CommandError(f'"{owner}" is no owner: expected TENANT, TENANT/TEAM or TENANT/TEAM/USER')
    tenant, team, user, *_ = *map(_checked, parts), None, None
    return Caller(
        tenant=tenant or "",
        key_id=key_id,
        team=team,
        user=user,
        role="admin" if is_admin else "member",
        allowed_models=frozenset(models) if models else None,
    )


def _checked(name: str) -> str:
    """A name that looks like what it is. Raises `CommandError`."""
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        raise CommandError(f"a name has 1 to {_MAX_NAME} printable characters and no space around them")
    return name


def _expiry(text: str | None, now_us: int) -> int | None:
    """The moment that a period or a day names, in microseconds since 1970. Raises `CommandError`."""
    if text is None:
        return None
    if period := re.fullmatch(r"([1-9]\d{0,3})([hdw])", text):
        return now_us + int(period[1]) * _SECONDS[period[2]] * 1_000_000
    try:
        moment_us = int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1_000_000
    except ValueError as error:
        raise CommandError(f'"{text}" is no end: expected 12h, 30d, 8w, or a day such as 2027-01-31') from error
    if moment_us <= now_us:
        raise CommandError(f"{text} has already begun: a key ends at the beginning of its last day, in UTC")
    return moment_us


def _shown(key: Key, now_us: int) -> dict[str, Any]:
    caller = key.caller
    expires = key.expires_at_us
    return {
        "key_id": caller.key_id,
        "name": key.name,
        "hint": key.hint,
        "tenant": caller.tenant,
        "team": caller.team,
        "user": caller.user,
        "models": None if caller.allowed_models is None else sorted(caller.allowed_models),
        "is_admin": caller.is_admin,
        "expires_at": None if expires is None else f"{datetime.fromtimestamp(expires / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "state": "revoked" if key.is_blocked else "active" if is_usable(key, now_us) else "expired",
    }


def _row(key: dict[str, Any]) -> list[str]:
    owner = "/".join(part for part in (key["tenant"], key["team"], key["user"]) if part)
    models = "all" if key["models"] is None else ", ".join(key["models"])
    admin = "yes" if key["is_admin"] else "no"
    return [key["key_id"], key["name"], key["hint"], owner, models, admin, key["expires_at"] or "never", key["state"]]
