"""farthing keys: who may ask. Works on the database, so also before the gateway's first start."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table, usd

if TYPE_CHECKING:
    from farthing.domain.keys import Caller, Key, Role
    from farthing.store import Store

KEYS = typer.Typer(help="Make, list and revoke the keys that callers show.", no_args_is_help=True)

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_OWNER_PARTS = 3
_ROLES = ("member", "auditor", "team_admin", "org_admin", "admin")
_FIGURES = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")

Models = Annotated[
    list[str] | None, typer.Option("--model", help="A model it may use; repeat for more.", show_default="all")
]


@KEYS.callback()
def _keys(*, config: ConfigFile = None) -> None:
    from farthing.settings import export

    if config:
        export({"FARTHING_CONFIG": str(config)})


@KEYS.command("create", help="Make a key and show its secret, this once.")
@dataclass(frozen=True, kw_only=True)
class Create:
    """Makes a key and shows its secret, this once: a command whose options are its fields."""

    name: Annotated[str, typer.Argument(help="What people call the key.")]
    owner: Annotated[str | None, typer.Option(help="TENANT, TENANT/TEAM or TENANT/TEAM/USER.")] = None
    role: Annotated[str | None, typer.Option(help=f"{', '.join(_ROLES)}.", show_default="member")] = None
    model: Models = None
    expires: Annotated[str | None, typer.Option(help="12h, 30d, 8w, or a day such as 2027-01-31.")] = None
    rpm: Annotated[int | None, typer.Option(min=1, help="Requests per minute.", show_default="no limit")] = None
    tpm: Annotated[int | None, typer.Option(min=1, help="Tokens per minute.", show_default="no limit")] = None
    concurrent: Annotated[int | None, typer.Option(min=1, help="Requests at a time.", show_default="no limit")] = None
    max_cost_usd: Annotated[
        str | None, typer.Option(help="The most that one request may cost, such as 0.05.", show_default="no limit")
    ] = None
    admin: Annotated[bool, typer.Option("--admin", help="The same as --role admin.")] = False
    as_json: AsJson = False

    def __post_init__(self) -> None:
        """Does it."""
        from secrets import randbits, token_bytes

        from farthing.cli.configured import settings_for
        from farthing.cli.database import CLOCK, with_store
        from farthing.domain.ids import RANDOM_BITS, uuid7
        from farthing.domain.keys import Key
        from farthing.domain.secrets import RANDOM_BYTES, digest, hint, mint

        now_us = CLOCK.now_us()
        secret = mint(token_bytes(RANDOM_BYTES))
        key = Key(
            caller=self._caller(uuid7(now_us, randbits(RANDOM_BITS))),
            name=checked(self.name),
            hint=hint(secret),
            expires_at_us=_expiry(self.expires, now_us),
        )
        with_store(
            settings_for(None).lasting_database,
            lambda store: store.keys.create(key, digest(secret), created_at_us=now_us),
        )
        if self.as_json:
            print_json({**_shown(key, now_us), "secret": secret})
        else:
            print(secret)
            print(
                f"key {key.caller.key_id} ({key.name}): this is the only time that its secret is shown", file=sys.stderr
            )

    def _caller(self, key_id: str) -> Caller:
        from farthing.domain.keys import LOCAL_CALLER, Caller
        from farthing.domain.tenancy import limits_or_none

        parts = (self.owner or LOCAL_CALLER.tenant).split("/")
        if len(parts) > _OWNER_PARTS:
            raise CommandError(f'"{self.owner}" is no owner: expected TENANT, TENANT/TEAM or TENANT/TEAM/USER')
        tenant, team, user, *_ = *map(checked, parts), None, None
        role = self._role()
        if role == "team_admin" and team is None:
            raise CommandError("a team admin needs a team: --owner TENANT/TEAM")
        return Caller(
            tenant=tenant or "",
            key_id=key_id,
            team=team,
            user=user,
            role=role,
            allowed_models=frozenset(self.model) if self.model else None,
            limits=limits_or_none(self.rpm, self.tpm, self.concurrent),
            max_cost=None if self.max_cost_usd is None else _amount(self.max_cost_usd),
        )

    def _role(self) -> Role:
        from farthing.domain.permissions import ROLES

        said = self.role or ("admin" if self.admin else "member")
        for role in ROLES:
            if role == said and (role == "admin" or not self.admin):
                return role
        raise CommandError(f'"{said}" is no role for this key: expected one of {", ".join(_ROLES)}')


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
    columns = ["id", "name", "key", "owner", "role", "models", "limits", "expires", "state"]
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
            if key == held.caller.key_id or (key == held.name and not held.is_revoked)
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
    return key.state(now_us) == "active"


def checked(name: str) -> str:
    """A name that looks like what it is. Raises `CommandError`."""
    from farthing.domain.keys import MAX_NAME, is_name

    if not is_name(name):
        raise CommandError(f"a name has 1 to {MAX_NAME} printable characters and no space around them")
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


def _amount(text: str) -> int:
    """Nano-dollars. Raises `CommandError`."""
    from farthing.domain.budget import nano_dollars

    try:
        return nano_dollars(text)
    except ValueError as error:
        raise CommandError(f'"{text}" is no amount: {error}') from error


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
        "role": caller.role,
        "is_admin": caller.is_admin,
        **{name: getattr(caller.limits, name, None) for name in _FIGURES},
        "max_cost_usd": None if caller.max_cost is None else caller.max_cost / 1e9,
        "expires_at": None if expires is None else f"{datetime.fromtimestamp(expires / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "state": key.state(now_us),
    }


def _row(key: dict[str, Any]) -> list[str]:
    owner = "/".join(part for part in (key["tenant"], key["team"], key["user"]) if part)
    models = "all" if key["models"] is None else ", ".join(key["models"])
    expires = key["expires_at"] or "never"
    return [key["key_id"], key["name"], key["hint"], owner, key["role"], models, _limits(key), expires, key["state"]]


def _limits(key: dict[str, Any]) -> str:
    """Requests and tokens a minute, requests at a time, and what one may cost."""
    figures = zip(("rpm", "tpm", "at a time"), (key[name] for name in _FIGURES), strict=True)
    found = [f"{figure} {unit}" for unit, figure in figures if figure is not None]
    if key["max_cost_usd"] is not None:
        found.append(f"{usd(key['max_cost_usd'])} a request")
    return ", ".join(found) or "none"
