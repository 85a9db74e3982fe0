"""What `farthing doctor --ledger` looks at: whether the sums are those of the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from farthing.cli.checks import Finding
from farthing.cli.database import CLOCK
from farthing.cli.terminal import shown
from farthing.domain.budget import dollars
from farthing.domain.errors import FarthingError
from farthing.ports import Stretch
from farthing.settings import Settings, without_password
from farthing.store import open_store
from farthing.store.proof import Difference

CHECK = "ledger"
_MEND = "something else has written to the database (docs/money.md); `farthing doctor --ledger --mend` goes by the rows"
_BUCKETS = {1: "minute", 60: "hour", 1440: "day"}


async def examine_ledger(
    settings: Settings, stretch: Stretch, *, mend: bool, advance: Callable[[float], None]
) -> list[Finding]:
    """A finding for each day and dimension whose sums are not those of the rows, or one that all are.

    With `mend` such sums are made those of the rows.
    """
    url = settings.lasting_database.url.get_secret_value()
    if _is_missing_file(url):
        return [Finding(CHECK, "ok", "there is no database yet")]
    store = open_store(url, clock=CLOCK)
    try:
        proof = await store.prover.compare(stretch, mend=mend, advance=advance)
    except (FarthingError, OSError) as error:
        return [Finding(CHECK, "broken", f"{without_password(url)}: {error}", "start it, or run `farthing migrate`")]
    finally:
        await store.aclose()
    if proof.differences:
        if mend:
            return [
                Finding(CHECK, "warning", f"{_told(each)}: put right", "run it again without --mend")
                for each in proof.differences
            ]
        return [Finding(CHECK, "broken", _told(each), _MEND) for each in proof.differences]
    told = f"{proof.rows:,} rows of {proof.days:,} days: all sums are theirs, to the nano-dollar"
    return [Finding(CHECK, "ok", told)]


def _is_missing_file(url: str) -> bool:
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()


def _told(found: Difference) -> str:
    day = f"{datetime.fromtimestamp(found.day_us // 1_000_000, UTC):%Y-%m-%d}"
    more = f"{dollars(abs(found.cost))} {'less' if found.cost < 0 else 'more'} than the rows"
    first = shown(f"{found.tenant} {found.value}".strip())
    number = "1 sum differs" if found.sums == 1 else f"{found.sums:,} sums differ"
    return (
        f"{day}: by {found.dimension} and {_BUCKETS[found.grain]} the sums say {more}; {number} in "
        f"{', '.join(found.counters)}, the first is {first}'s"
    )
