"""farthing savings: what was saved."""

from __future__ import annotations

from farthing.cli.spend import From, To
from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, print_json, print_table, say, usd


def savings(
    *,
    first: From = None,
    last: To = None,
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was saved, and by what, against the baseline model. What Farthing itself spends is taken off."""
    from farthing.cli.configured import gateway_for

    found = gateway_for(url, config).get("/v1/savings", {"from": first, "to": last})
    if as_json:
        print_json(found)
        return
    if found["actual_cost"] == found["baseline_cost"] == 0:
        print("nothing was asked in this time, so nothing was spent or saved")
        return
    percent = f" ({found['percent']:.1f} %)" if found.get("percent") is not None else ""
    rows = [
        ["at the baseline", usd(found["baseline_cost"])],
        ["paid", usd(found["actual_cost"])],
        ["saved", usd(found["saved"]) + percent],
    ]
    low, high = found.get("interval") or (None, None)
    if low is not None and high is not None:
        rows.append(["between", f"{usd(low)} and {usd(high)}"])
    rows += [[f"by {source.replace('_', ' ')}", usd(amount)] for source, amount in found["by_source"].items()]
    measured = found["measured"]
    if measured["note"] is None:
        least, most = measured["interval"]
        rows += [
            ["measured by what was held back", f"{usd(measured['saved'])} ({measured['percent']:.1f} %)"],
            ["between", f"{usd(least)} and {usd(most)}"],
        ]
    print_table(["savings", "USD"], rows, numbers=["USD"])
    if measured["note"]:
        say(measured["note"])
