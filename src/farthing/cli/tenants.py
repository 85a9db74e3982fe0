"""farthing tenants: whom keys belong to. Works on the database, and every gateway follows within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from farthing.cli.keys import checked
from farthing.cli.terminal import AsJson, CommandError, ConfigFile, print_json, print_table

if TYPE_CHECKING:
    from farthing.domain.plans import PriceList
    from farthing.domain.tenancy import Tenant
    from farthing.settings import Settings
    from farthing.store import Store

TENANTS = typer.Typer(help="Make, list and change tenants.", no_args_is_help=True)

_PORTION = 1000
_NONE = "none"
"""What is said for no plan."""

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id, as keys name it in --owner.")]
Plan = Annotated[str | None, typer.Option(help="A plan that the settings name as [plans.NAME].", show_default=False)]
Name = Annotated[str | None, typer.Option(help="What people call it.", show_default="its id")]


@TENANTS.callback()
def _tenants(*, config: ConfigFile = None) -> None:
    from farthing.settings import export

    if config:
        export({"FARTHING_CONFIG": str(config)})


@TENANTS.command()
def create(tenant: TenantId, *, name: Name = None, plan: Plan = None, as_json: AsJson = False) -> None:
    """Make a tenant; one that is not made comes with its first key."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import CLOCK, with_store
    from farthing.domain.tenancy import Tenant

    settings = settings_for(None)
    made = Tenant(
        tenant=checked(tenant),
        name=checked(name or tenant),
        plan=_known(plan, settings) if plan else None,
        created_at_us=CLOCK.now_us(),
    )
    prices = _prices(settings)
    with_store(settings.lasting_database, lambda store: store.tenancy.add_tenant(made, prices))
    _tell(made, as_json=as_json)


@TENANTS.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List all tenants."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store

    shown = [_shown(tenant) for tenant in with_store(settings_for(None).lasting_database, _all)]
    if as_json:
        print_json({"tenants": shown})
        return
    print_table(["id", "name", "plan", "state"], [_row(tenant) for tenant in shown])


@TENANTS.command("set")
def set_(
    tenant: TenantId,
    *,
    name: Name = None,
    plan: Annotated[str | None, typer.Option(help=f"As in create, or {_NONE}.", show_default=False)] = None,
    block: Annotated[bool | None, typer.Option("--block/--unblock", help="Whether its keys are refused.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a tenant; what is not said stays."""
    from farthing.cli.configured import settings_for
    from farthing.cli.database import with_store
    from farthing.domain.permissions import EVERYTHING

    settings = settings_for(None)
    changes: dict[str, Any] = {} if name is None else {"name": checked(name)}
    if plan is not None:
        changes["plan"] = None if plan == _NONE else _known(plan, settings)
    if block is not None:
        changes["is_blocked"] = block
    prices = _prices(settings)
    changed = with_store(
        settings.lasting_database, lambda store: store.tenancy.change_tenant(tenant, EVERYTHING, changes, prices)
    )
    _tell(changed, as_json=as_json)


async def _all(store: Store) -> list[Tenant]:
    from farthing.domain.permissions import EVERYTHING

    found: list[Tenant] = []
    while True:
        after = found[-1].tenant if found else None
        portion = await store.tenancy.tenants(EVERYTHING, limit=_PORTION, after=after)
        found += portion
        if len(portion) < _PORTION:
            return found


def _prices(settings: Settings) -> PriceList:
    """What plans charge from now on."""
    from farthing.cli.database import CLOCK
    from farthing.domain.plans import PriceList

    return PriceList(plans=settings.plans, at_us=CLOCK.now_us())


def _known(plan: str, settings: Settings) -> str:
    if plan not in settings.plans:
        names = ", ".join(sorted(settings.plans)) or "it names none"
        raise CommandError(f'there is no plan "{plan}" in the configuration: {names}')
    return plan


def _tell(tenant: Tenant, *, as_json: bool) -> None:
    if as_json:
        print_json(_shown(tenant))
    else:
        print(f"tenant {tenant.tenant}: {', '.join(_row(_shown(tenant))[1:])}")


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {"tenant": tenant.tenant, "name": tenant.name, "plan": tenant.plan, "is_blocked": tenant.is_blocked}


def _row(tenant: dict[str, Any]) -> list[str]:
    state = "blocked" if tenant["is_blocked"] else "active"
    return [tenant["tenant"], tenant["name"], tenant["plan"] or "no plan", state]
