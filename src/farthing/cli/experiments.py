"""farthing experiments: A/B tests between strategies or models. Asks a running gateway."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

import typer

from farthing.cli.terminal import AsJson, CommandError, ConfigFile, GatewayUrl, print_json, print_table, say
from farthing.cli.trial_options import arm_of, margin_of, namespace_of, scope_of, shares_of

EXPERIMENTS = typer.Typer(help="Plan, start, watch and stop A/B tests.", no_args_is_help=True)

_PATH = "/experiments"
_BAR = 41
"""Characters of an interval."""
_PAIR = 2
"""Arms of most experiments."""

ExperimentId = Annotated[str, typer.Argument(metavar="ID", help="As `farthing experiments list` shows it.")]


@EXPERIMENTS.command("plan", help="Tell how many results an experiment needs.")
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tells a sample size from the gateway's own ledger: a command whose options are its fields."""

    effect: Annotated[float, typer.Option(help="The smallest difference in cost worth finding: 0.1 is 10 %.")] = 0.1
    power: Annotated[float, typer.Option(help="The chance to find it, if it is there.")] = 0.8
    arms: Annotated[int, typer.Option(help="How many arms, control among them.")] = 2
    share: Annotated[
        float | None, typer.Option(help="That of each arm beside control; all alike, if not said.", show_default=False)
    ] = None
    alpha: Annotated[float, typer.Option(help="The chance of a winner where there is none.")] = 0.05
    traffic: Annotated[float, typer.Option(help="The share of users who take part.")] = 1.0
    early_stop: Annotated[bool, typer.Option("--early-stop", help="It may end from half the size on.")] = False
    days: Annotated[int, typer.Option(help="How many days of the ledger to look at.")] = 30
    model: Annotated[str | None, typer.Option(help="Only this model's requests.", show_default=False)] = None
    strategy: Annotated[str | None, typer.Option(help="Only this strategy's requests.", show_default=False)] = None
    route: Annotated[str | None, typer.Option(help="Only this route's requests.", show_default=False)] = None
    url: GatewayUrl = None
    config: ConfigFile = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        """Does it. Raises `CommandError` where the ledger knows too little."""
        from farthing.cli.configured import gateway_for

        found = gateway_for(self.url, self.config).get(f"{_PATH}/plan", self._query())
        if self.as_json:
            print_json(found)
            return
        ledger = found["based_on"]
        if found["sample_size"] is None:
            raise CommandError(
                f"the ledger has {ledger['requests']:,} requests of {ledger['users']:,} users in {self.days} days: "
                "too few or too alike to plan from: let more traffic through first, or look at more of it"
            )
        size = f"{found['sample_size']:,} results" + (f" over {self.arms} arms" if self.arms > _PAIR else "")
        print(f"{size} find a difference of {self.effect:.1%} in {self.power:.0%} of cases.")
        if found["days_needed"] is not None:
            print(f"At {ledger['requests_a_day']:,.0f} requests a day that takes {_days(found['days_needed'])}.")
        print(
            f"A request costs {_usd(ledger['avg_cost'])} on average and varies by {_usd(ledger['sd_cost'])}, "
            f"in {ledger['requests']:,} requests of {ledger['users']:,} users."
        )

    def _query(self) -> dict[str, str | None]:
        figures = {name: f"{getattr(self, name):g}" for name in ("effect", "power", "alpha", "traffic")}
        share = None if self.share is None else f"{self.share:g}"
        rest = {"share": share, "model": self.model, "strategy": self.strategy, "route": self.route}
        whole = {"arms": str(self.arms), "days": str(self.days)}
        return {**figures, **whole, "early_stop": str(self.early_stop).lower(), **rest}


@EXPERIMENTS.command("create", help="The same as start.")
@EXPERIMENTS.command("start", help="Start an experiment.")
@dataclass(frozen=True, kw_only=True)
class Start:
    """Starts an experiment: a command whose options are its fields."""

    name: Annotated[str, typer.Argument(help="What people call it.")]
    size: Annotated[int, typer.Option(help="Results that are needed in all: `farthing experiments plan` tells.")]
    control: Annotated[str | None, typer.Option(help="A strategy or a model's name: what is done today.")] = None
    test: Annotated[str | None, typer.Option(help="A strategy or a model's name: what may be better.")] = None
    arm: Annotated[
        list[str] | None,
        typer.Option(help="In place of --control and --test, control first: NAME=STRATEGY or NAME=STRATEGY@SHARE."),
    ] = None
    hypothesis: Annotated[str | None, typer.Option(help="What you expect, and why.")] = None
    description: Annotated[str | None, typer.Option(help="What it is about.")] = None
    early_stop: Annotated[bool, typer.Option("--early-stop", help="May end from half the size on.")] = False
    effect: Annotated[float | None, typer.Option(help="The difference in cost planned for: 0.1 is 10 %.")] = None
    min_effect: Annotated[float | None, typer.Option(help="The smallest difference worth acting on.")] = None
    strict: Annotated[bool, typer.Option("--strict", help="No winner while a guardrail is unclear.")] = False
    traffic: Annotated[float | None, typer.Option(help="The share of users who take part: 0.1 is 10 %.")] = None
    alpha: Annotated[float | None, typer.Option(help="The chance of a winner where there is none.")] = None
    margin: Annotated[
        list[str] | None, typer.Option(help="How much worse an arm may be: quality=, errors= or latency=NUMBER.")
    ] = None
    namespace: Annotated[
        str | None, typer.Option(help="NAME:START-END in 0 to 1: others elsewhere in it never share a user.")
    ] = None
    salt: Annotated[str | None, typer.Option(help="What users are hashed with; its id, if not said.")] = None
    scope: Annotated[
        str | None, typer.Option(help="Requests that take part unasked: key:ID, route:/v1/messages, tag:NAME=VALUE.")
    ] = None
    promote: Annotated[
        bool, typer.Option("--promote", help="A winner becomes the default by itself, but for 2 % of users.")
    ] = False
    url: GatewayUrl = None
    config: ConfigFile = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        """Does it."""
        from farthing.cli.configured import gateway_for

        made = gateway_for(self.url, self.config).post(_PATH, self._body())
        if self.as_json:
            print_json(made)
        else:
            print(made["id"])

    def _body(self) -> dict[str, Any]:
        wanted = {
            "name": self.name,
            "sample_size": self.size,
            "control_strategy": self.control,
            "test_strategy": self.test,
            "arms": [arm_of(text) for text in self.arm] if self.arm else None,
            "hypothesis": self.hypothesis,
            "description": self.description,
            "early_stop": self.early_stop or None,
            "planned_effect": self.effect,
            "min_effect": self.min_effect,
            "policy": "strict" if self.strict else None,
            "traffic": self.traffic,
            "alpha": self.alpha,
            "margins": dict(map(margin_of, self.margin)) if self.margin else None,
            "namespace": namespace_of(self.namespace) if self.namespace else None,
            "salt": self.salt,
            "scope": scope_of(self.scope) if self.scope else None,
            "promote": self.promote or None,
        }
        return {name: value for name, value in wanted.items() if value is not None}


@EXPERIMENTS.command("list")
def list_(*, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List experiments, the newest first."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(_PATH, {"limit": "1000"})
    if as_json:
        print_json({"experiments": found["data"]})
        return
    if not found["data"]:
        print("no experiment yet: `farthing experiments plan` tells how many results one needs")
        return
    columns = ["id", "name", "arms", "results", "status", "verdict"]
    print_table(columns, [_row(experiment) for experiment in found["data"]], numbers=["results"])


@EXPERIMENTS.command()
def show(
    experiment: ExperimentId, *, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Show how an experiment was set up."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(_path(experiment))
    if as_json:
        print_json(found)
    else:
        _print_settings(found)


@EXPERIMENTS.command()
def ramp(
    experiment: ExperimentId,
    share: Annotated[float | None, typer.Argument(help="The share of users who take part: 0.1 is 10 %.")] = None,
    *,
    shares: Annotated[
        str | None, typer.Option(help="Begin a phase with these shares of the arms, control's first: 0.8,0.2.")
    ] = None,
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let more or fewer users take part in a running experiment; nobody changes arms by it, but by other shares."""
    from farthing.cli.configured import gateway_for

    wanted = {"traffic": share, "shares": None if shares is None else shares_of(shares)}
    body = {name: value for name, value in wanted.items() if value is not None}
    if not body:
        raise CommandError("say the share of users who take part, as in 0.5, or --shares of the arms")
    found = gateway_for(url, config).patch(_path(experiment), body)
    if as_json:
        print_json(found)
        return
    arms = "".join(f", {arm['share']:.1%} of them in {arm['name']}" for arm in found["arms"]) if shares else ""
    say(f"{found['traffic']:.0%} of users take part in experiment {found['id']}{arms}")


@EXPERIMENTS.command()
def stop(
    experiment: ExperimentId, *, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """End an experiment by hand, without a verdict, or take a promoted winner back; any other stays as it is."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).post(f"{_path(experiment)}/stop", {})
    if as_json:
        print_json(found)
    else:
        back = ", and its winner is not the default any more" if found["rolled_back_at"] else ""
        print(f"experiment {found['id']} is {found['status']}{back}")


@EXPERIMENTS.command()
def results(
    experiment: ExperimentId, *, url: GatewayUrl = None, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Show what an experiment has found. Looking changes nothing, however often."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get(f"{_path(experiment)}/results")
    if as_json:
        print_json(found)
    else:
        _print_results(found)


def _usd(amount: float) -> str:
    """Three digits that count: what differs by a tenth differs here, however little a request costs."""
    return f"{'-' if amount < 0 else ''}${Decimal(f'{abs(amount):#.3g}'):f}"


def _days(days: float) -> str:
    return "less than a day" if days < 1 else f"about {days:,.0f} day{'' if round(days) == 1 else 's'}"


def _path(experiment: str) -> str:
    return f"{_PATH}/{quote(experiment, safe='')}"


def _row(experiment: dict[str, Any]) -> list[str]:
    arms = " / ".join(arm["strategy"] for arm in experiment["arms"])
    verdict = experiment["verdict"] or experiment["doubt"]
    said = "" if verdict is None else verdict["winner"] or verdict["code"].replace("_", " ")
    count = f"{experiment['results'] - experiment['late']:,} of {experiment['sample_size']:,}"
    return [experiment["id"], experiment["name"], arms, count, experiment["status"], said]


def _print_settings(found: dict[str, Any]) -> None:
    scope, verdict = found["scope"], found["verdict"] or found["doubt"]
    margins = [f"{name} {margin:g}" for name, margin in found["margins"].items()]
    lines = {
        "id": found["id"],
        "name": found["name"],
        "description": found["description"],
        "hypothesis": found["hypothesis"],
        "status": found["status"],
        "results": f"{found['results'] - found['late']:,} of {found['sample_size']:,}",
        "early stop": "from half the size on" if found["early_stop"] else "no",
        "planned for": f"a difference of {found['planned_effect']:.1%}",
        "acts from": f"a difference of {found['min_effect']:.1%}" if found["min_effect"] else "",
        "alpha": f"{found['alpha']:g}",
        "margins": ", ".join(margins),
        "policy": "strict: no winner while a guardrail is unclear" if found["policy"] == "strict" else "",
        "traffic": f"{found['traffic']:.0%} of users",
        "namespace": _place(found["namespace"]),
        "salt": found["salt"] if found["salt"] != found["id"] else "",
        "who": f"{scope['where']} {scope['value']}" if scope else "requests that name it",
        "created": found["created_at"],
        "completed": found["completed_at"],
        "verdict": verdict["reason"] if verdict else "",
        "promotes": _promotion(found),
    }
    for name, value in lines.items():
        if value:
            say(f"{name:<12}  {value}")
    print()
    rows = [[arm["name"], arm["strategy"], f"{arm['share']:.1%}"] for arm in found["arms"]]
    print_table(["arm", "strategy", "share"], rows, numbers=["share"])


def _place(namespace: dict[str, Any] | None) -> str:
    """The part of a namespace, as `--namespace` takes it."""
    return "" if namespace is None else f"{namespace['name']}:{namespace['start']:g}-{namespace['end']:g}"


def _promotion(found: dict[str, Any]) -> str:
    """What becomes, or became, of the winner."""
    if found["rolled_back_at"]:
        return f"no more since {found['rolled_back_at']}: {found['rolled_back_for']}"
    if found["promoted"]:
        from farthing.domain.experiments.assignment import HELD_BACK

        arms = found["aftermath"].items()
        counts = [f"{arm} failed {figures['errors']:,} of {figures['requests']:,}" for arm, figures in arms]
        return "; ".join([f"{found['promoted']}, but for {HELD_BACK:.0%} of users", *counts])
    is_open = found["promote"] and found["status"] == "running"
    return "the winner, if there is one" if is_open else ""


def _print_results(found: dict[str, Any]) -> None:
    from farthing.domain.experiments.verdict import ends_as_planned

    metrics, verdict = found["metrics"], found["verdict"]
    facts = metrics["experiment"]
    say(f"{verdict['code'].replace('_', ' ')}: {verdict['reason']}")
    for caveat in verdict["caveats"]:
        say(f"  but: {caveat}")
    late = f", {facts['late']:,} late" if facts["late"] else ""
    print(f"{facts['n']:,} of {facts['planned_n']:,} results{late}; {found['status']}")
    print()
    columns = ["arm", "strategy", "results", "users", "cost", "latency", "p95", "quality", "errors"]
    print_table(columns, [_arm_row(name, arm) for name, arm in metrics["arms"].items()], numbers=columns[2:])
    is_planned = verdict["is_final"] and ends_as_planned(verdict["rule"], facts["n"], facts["planned_n"])
    for cost in metrics["comparisons"]:
        if cost["role"] == "primary":
            _print_interval(cost, is_planned=is_planned)


def _arm_row(name: str, arm: dict[str, Any]) -> list[str]:
    quality = "" if arm["avg_quality"] is None else f"{arm['avg_quality']:.2f}"
    errors = "" if arm["error_rate"] is None else f"{arm['error_rate']:.1%}"
    latencies = ["" if value is None else f"{value:,.0f} ms" for value in (arm["avg_latency"], arm["p95_latency"])]
    cost = "" if arm["avg_cost"] is None else _usd(arm["avg_cost"])
    return [name, arm["strategy"], f"{arm['results']:,}", f"{arm['users']:,}", cost, *latencies, quality, errors]


def _print_interval(cost: dict[str, Any], *, is_planned: bool) -> None:
    """One line of figures and a bar, on which `|` is no difference."""
    interval = cost["ci"] if is_planned else cost["ci_anytime"]
    if cost["diff"] is None or interval is None:
        return
    low, high = interval
    relative = "" if cost["rel"] is None else f" ({cost['rel']:+.1%})"
    print()
    say(f"{cost['arm']} against {cost['against']}: {_usd(cost['diff'])}{relative} a request")
    when = "at the end" if is_planned else "so far"
    print(f"  {bar(low, cost['diff'], high)}  from {_usd(low)} to {_usd(high)}, {when}")


def bar(low: float, middle: float, high: float) -> str:
    """An interval drawn beside nothing at all: `|` is 0, `o` the estimate, `=` where the truth may be."""
    left, right = min(low, 0.0), max(high, 0.0)
    width = right - left
    if not width:
        return "|".center(_BAR, "-")
    low_at, middle_at, high_at, zero_at = (
        round((value - left) / width * (_BAR - 1)) for value in (low, middle, high, 0.0)
    )
    cells = ["=" if low_at <= place <= high_at else "-" for place in range(_BAR)]
    cells[zero_at] = "|"
    cells[middle_at] = "o"
    return "".join(cells)
