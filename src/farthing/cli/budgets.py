"""farthing budgets: who may spend how much. Works on the database, and every gateway follows within a second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.keys import checked
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table

if TYPE_CHECKING:
    from farthing.domain.budget import Budget, Scope, Step, Window
    from farthing.store import Store

BUDGETS = typer.Typer(help="Make, list, change and delete budgets.", no_args_is_help=True)

_STEP = re.compile(r"(cheaper|cache_only)@([1-9][0-9]?|100)")
_WINDOWS = ("day", "week", "month", "total")
_SUBJECTS = {
    "key": "key:ID",
    "team": "team:NAME",
    "user": "user:NAME",
    "tag": "tag:NAME=VALUE",
    "model": "model:NAME",
}
"""Scopes that need a subject, and how it is written."""

BudgetId = Annotated[str, typer.Argument(metavar="ID", help="The budget's id, as `farthing budgets list` shows it.")]
Steps = Annotated[
    str | None,
    typer.Option(
        help="What happens before it is spent, at which percent: cheaper@90,cache_only@97.", show_default="none"
    ),
]


@BUDGETS.callback()
def _budgets(*, config: ConfigFile = None) -> None:
    from farthing.settings import export

    if config:
        export({"FARTHING_CONFIG": str(config)})


@BUDGETS.command("create", help="Limit what may be spent.")
@dataclass(frozen=True, kw_only=True)
class Create:
    """Limits what may be spent: a command whose options are its fields."""

    whose: Annotated[str, typer.Argument(help=f"{', '.join(_SUBJECTS.values())}, tenant, or gateway for everybody.")]
    limit: Annotated[str, typer.Option(help="US dollars, such as 12.50.")]
    per: Annotated[str, typer.Option(help="day, week or month, which begin at midnight UTC, or total.")] = "month"
    tenant: Annotated[str | None, typer.Option(help="Whose it is.", show_default="local")] = None
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None
    soft: Annotated[bool, typer.Option("--soft", help="Only watch: refuse nothing.")] = False
    degrade: Steps = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        """Does it."""
        from farthing.cli.configured import settings_for
        from farthing.cli.database import with_store

        budget = with_store(settings_for(None).lasting_database, self._made)
        if self.as_json:
            from farthing.http.presentation import shown_budget

            print_json(shown_budget(budget))
        else:
            print(budget.id)

    async def _made(self, store: Store) -> Budget:
        from secrets import randbits

        from farthing.cli.database import CLOCK
        from farthing.domain.budget import Budget
        from farthing.domain.ids import RANDOM_BITS, uuid7

        now_us = CLOCK.now_us()
        scope, subject = _scope(self.whose)
        owner = await _owner(store, scope, subject, self.tenant)
        budget = Budget(
            id=uuid7(now_us, randbits(RANDOM_BITS)),
            tenant=owner,
            scope=scope,
            subject=owner if scope == "tenant" else subject,
            window=_window(self.per),
            limit=_amount(self.limit),
            is_hard=not self.soft,
            name=checked(self.name) if self.name else None,
            degrade=_steps(self.degrade),
        )
        await store.budgets.create(budget, created_at_us=now_us)
        return budget


@BUDGETS.command("list")
def list_(
    *, tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None, as_json: AsJson = False
) -> None:
    """List all budgets with what is spent, held and left."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.domain.budget import Place, span

    async def work(store: Store) -> list[dict[str, Any]]:
        now_us = CLOCK.now_us()
        budgets = await store.budgets.list(tenant)
        spent, held = await store.queries.spent(budgets, now_us), await store.leases.held()
        found = []
        for budget in budgets:
            window = span(budget.window, now_us)
            leased = held.get(Place(budget.id, window.start_us), 0)
            found.append(_standing(budget, spent.get(budget.id, 0), leased, window.end_us))
        return found

    shown = with_store(settings_for(None).lasting_database, work)
    if as_json:
        print_json({"budgets": shown})
        return
    columns = ["id", "name", "whose", "per", "limit", "spent", "held", "left", "resets", "kind"]
    print_table(columns, [_row(budget) for budget in shown], numbers=["limit", "spent", "held", "left"])


@BUDGETS.command("set")
def set_(
    budget: BudgetId,
    *,
    limit: Annotated[str | None, typer.Option(help="US dollars, such as 12.50.")] = None,
    hard: Annotated[bool | None, typer.Option("--hard/--soft", help="Refuse, or only watch.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    degrade: Steps = None,
    as_json: AsJson = False,
) -> None:
    """Change a budget; what was spent stays spent. `--degrade none` takes the steps away."""
    from msgspec.structs import replace

    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store

    changes: dict[str, Any] = {}
    if limit is not None:
        changes["limit"] = _amount(limit)
    if hard is not None:
        changes["is_hard"] = hard
    if name is not None:
        changes["name"] = checked(name)
    if degrade is not None:
        changes["degrade"] = () if degrade == "none" else _steps(degrade)
    if not changes:
        raise CommandError("nothing to change: give --limit, --hard, --soft, --name or --degrade")

    async def work(store: Store) -> Budget:
        with _known(budget):
            before = await store.budgets.get(budget)
            changed = replace(before, **changes)
            await store.budgets.change(changed, before=before)
        return changed

    changed = with_store(settings_for(None).lasting_database, work)
    if as_json:
        from farthing.http.presentation import shown_budget

        print_json(shown_budget(changed))
    else:
        print(f"budget {changed.id} is changed")


@BUDGETS.command()
def delete(budget: BudgetId, *, as_json: AsJson = False) -> None:
    """Delete a budget: nothing is limited by it any more."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store

    async def work(store: Store) -> None:
        with _known(budget):
            await store.budgets.delete(budget)

    with_store(settings_for(None).lasting_database, work)
    if as_json:
        print_json({"budget_id": budget, "state": "deleted"})
    else:
        print(f"budget {budget} is deleted")


@contextmanager
def _known(budget: str) -> Iterator[None]:
    """Says which budget was not found."""
    from farthing.domain.errors import NotFound

    try:
        yield
    except NotFound as error:
        raise CommandError(f'no budget has the id "{budget}": `farthing budgets list` shows the ids') from error


async def _owner(store: Store, scope: Scope, subject: str, tenant: str | None) -> str:
    """The tenant that the budget belongs to. Raises `CommandError` for a key that is not there."""
    from farthing.domain.keys import LOCAL_CALLER

    if scope == "gateway":
        return ""
    if scope == "tenant":
        return checked(subject or tenant or LOCAL_CALLER.tenant)
    if scope != "key":
        return checked(tenant or LOCAL_CALLER.tenant)
    for key in await store.keys.list():
        if key.caller.key_id == subject and tenant in (None, key.caller.tenant):
            return key.caller.tenant
    raise CommandError(f'no key has the id "{subject}": `farthing keys list` shows the ids')


def _scope(whose: str) -> tuple[Scope, str]:
    """Scope and subject. Raises `CommandError`."""
    scope, _, subject = whose.partition(":")
    if scope == "tenant" or (scope == "gateway" and not subject):
        return scope, subject  # type: ignore[return-value]
    if scope in _SUBJECTS and subject:
        checked(subject)
        if scope != "tag" or re.fullmatch(r"[^=]+=.+", subject):
            return scope, subject  # type: ignore[return-value]
    raise CommandError(f'"{whose}" is nobody: expected {", ".join(_SUBJECTS.values())}, tenant, tenant:NAME or gateway')


def _window(per: str) -> Window:
    if per not in _WINDOWS:
        raise CommandError(f'"{per}" is no stretch of time: expected {", ".join(_WINDOWS)}')
    return per  # type: ignore[return-value]


def _amount(text: str) -> int:
    from farthing.domain.budget import nano_dollars

    try:
        return nano_dollars(text)
    except ValueError as error:
        raise CommandError(f'"{text}" is no limit: {error}') from error


def _steps(text: str | None) -> tuple[Step, ...]:
    """Rising steps. Raises `CommandError`."""
    from farthing.domain.budget import Step

    found = [_STEP.fullmatch(part.strip()) for part in text.split(",")] if text else []
    steps = tuple(Step(int(match[2]), match[1]) for match in found if match)  # type: ignore[arg-type]
    percents = [step.at_percent for step in steps]
    if len(steps) < len(found) or percents != sorted(set(percents)):
        raise CommandError(f'"{text}" are no steps: expected rising percents such as cheaper@90,cache_only@97')
    return steps


def _standing(budget: Budget, spent: int, held: int, end_us: int | None) -> dict[str, Any]:
    from farthing.domain.pricing import NANO
    from farthing.http.presentation import shown_budget

    resets = None if end_us is None else f"{datetime.fromtimestamp(end_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    left = max(0, budget.limit - spent - held)
    figures = {"spent": spent / NANO, "held": held / NANO, "left": left / NANO, "resets_at": resets}
    return {**shown_budget(budget), **figures}


def _row(shown: Mapping[str, Any]) -> list[str]:
    from farthing.cli.terminal import usd

    whose = ":".join(part for part in (shown["scope"], shown["subject"]) if part)
    if shown["scope"] not in ("tenant", "gateway"):
        whose = f"{shown['tenant']}/{whose}"
    steps = ",".join(f"{step['action']}@{step['at_percent']}" for step in shown["degrade"])
    kind = " ".join(part for part in ("hard" if shown["is_hard"] else "soft", steps) if part)
    money = [usd(shown[name]) for name in ("limit", "spent", "held", "left")]
    return [
        shown["budget_id"],
        shown["name"] or "",
        whose,
        shown["window"],
        *money,
        shown["resets_at"] or "never",
        kind,
    ]
