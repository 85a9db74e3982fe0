"""No hard budget is exceeded by a nano-dollar, nothing is held for ever, and what is spent is known at once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US, Budget
from farthing.domain.errors import InsufficientQuota
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller
from farthing.money.ledger import Ledger, Reservation
from farthing.ports import Hold
from farthing.ports import Ledger as Port
from tests.unit.money.samples import MODEL, UNPRICED, exchange, needs

CALLER = Caller(tenant="acme", key_id="k1", team="support")
BUDGET = Budget(id="b1", tenant="acme", scope="key", subject="k1", window="day", limit=1_000)
START = 1_764_547_200_000_000


@pytest.fixture
def clock() -> ManualClock:
    """Midnight of 1 December 2025, a Monday."""
    return ManualClock(START)


@pytest.fixture
def ledger(clock: ManualClock) -> Ledger:
    """A ledger without budgets."""
    return Ledger(clock)


def load(ledger: Ledger, *budgets: Budget, spent: int = 0, at_us: int = START, today: int = 0) -> None:
    """Gives the ledger budgets of which the database says that so much is spent."""
    ledger.load(budgets, {budget.id: spent for budget in budgets}, today={"acme": today}, at_us=at_us)


def reserve(ledger: Ledger, caller: Caller, amount: int | None, *, at_us: int | None = None) -> Reservation:
    """A hold of so many nano-dollars; None for a model without a price."""
    opened = ledger.open(caller, at_us=at_us)
    try:
        assert opened.raise_to(MODEL if amount is not None else UNPRICED, needs(amount or 0)) is None
    except InsufficientQuota:
        opened.settle(0)
        raise
    return opened


def row(cost: int | None, *, at_us: int = START) -> Exchange:
    """A settled request of the caller."""
    return replace(exchange(1), tenant="acme", key_id="k1", team="support", cost=cost, created_at_us=at_us)


def spend(ledger: Ledger, cost: int) -> None:
    """Holds and settles the same amount."""
    reserve(ledger, CALLER, cost).settle(cost)


def test_a_budget_is_used_up_exactly_and_not_a_nano_dollar_more(ledger: Port) -> None:
    """Of a hundred requests at once, those that fit are held and the rest are refused."""
    assert isinstance(ledger, Ledger)
    load(ledger, BUDGET)
    holds: list[Hold] = []
    refused = 0
    for _ in range(100):
        try:
            holds.append(reserve(ledger, CALLER, 30))
        except InsufficientQuota:
            refused += 1
    assert (len(holds), refused, ledger.open_holds) == (33, 67, 33)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 11)
    reserve(ledger, CALLER, 10)


def test_what_was_held_and_not_used_can_be_spent_by_others(ledger: Ledger) -> None:
    """With reserves of five times the cost, the whole budget is usable by requests one after another."""
    load(ledger, BUDGET)
    for _ in range(192):
        reserve(ledger, CALLER, 25 * 5 // 3).settle(5)
    assert ledger.spent_today("acme") == 960


def test_settling_again_changes_nothing(ledger: Ledger) -> None:
    """Whoever ends a request may do so twice."""
    load(ledger, BUDGET)
    hold = reserve(ledger, CALLER, 900)
    hold.settle(400)
    hold.settle(900)
    assert hold.raise_to(MODEL, needs(5_000)) is None
    assert (ledger.open_holds, ledger.spent_today("acme")) == (0, 400)
    reserve(ledger, CALLER, 600)


def test_a_request_dearer_than_its_reserve_is_booked_in_full(ledger: Ledger) -> None:
    """Then the budget may be exceeded by this request, and is closed."""
    load(ledger, BUDGET)
    reserve(ledger, CALLER, 10).settle(1_200)
    with pytest.raises(InsufficientQuota, match=r"\$0\.0000012 of \$0\.000001 are spent"):
        reserve(ledger, CALLER, 1)


def test_a_fallback_to_a_dearer_model_holds_more_or_keeps_what_it_had(ledger: Ledger) -> None:
    """It is the total that is held; a cheaper model needs nothing, and a refusal changes nothing."""
    load(ledger, BUDGET)
    hold = reserve(ledger, CALLER, 300)
    hold.raise_to(MODEL, needs(800))
    hold.raise_to(MODEL, needs(100))
    with pytest.raises(InsufficientQuota):
        hold.raise_to(MODEL, needs(1_001))
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 201)
    reserve(ledger, CALLER, 200).settle(0)
    hold.settle(0)
    reserve(ledger, CALLER, 1_000)


def test_what_costs_nothing_passes_a_spent_budget(ledger: Ledger) -> None:
    """A free model needs no money."""
    load(ledger, BUDGET, spent=1_000)
    reserve(ledger, CALLER, 0).settle(0)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1)
    assert ledger.open_holds == 0


def test_a_model_without_a_price_is_refused_under_a_hard_budget_only(ledger: Ledger) -> None:
    """Unknown is never zero."""
    reserve(ledger, CALLER, None).settle(0)
    load(ledger, replace(BUDGET, is_hard=False))
    reserve(ledger, CALLER, None).settle(0)
    load(ledger, BUDGET)
    with pytest.raises(InsufficientQuota) as refusal:
        reserve(ledger, CALLER, None)
    assert (refusal.value.status, refusal.value.code) == (402, "unpriced_model")
    assert ledger.open_holds == 0


def test_a_soft_budget_counts_and_refuses_nothing(ledger: Ledger) -> None:
    """It is there to be watched."""
    load(ledger, replace(BUDGET, is_hard=False))
    spend(ledger, 5_000)
    load(ledger, BUDGET)
    with pytest.raises(InsufficientQuota):
        spend(ledger, 1)


@pytest.mark.parametrize(
    ("scope", "subject", "other"),
    [
        ("key", "k1", Caller(tenant="acme", key_id="k2", team="support")),
        ("team", "support", Caller(tenant="acme", key_id="k1", team="sales")),
        ("team", "support", Caller(tenant="acme", key_id="k1")),
        ("team", "support", Caller(tenant="other", key_id="k1", team="support")),
        ("tenant", "acme", Caller(tenant="other", key_id="k1", team="support")),
        ("key", "k1", Caller(tenant="acme")),
    ],
)
def test_a_budget_binds_those_it_is_for(ledger: Ledger, scope: str, subject: str, other: Caller) -> None:
    """A team is one within its tenant."""
    load(ledger, replace(BUDGET, scope=scope, subject=subject))
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1_001)
    reserve(ledger, other, 1_001)


def test_every_budget_must_hold_the_request_or_none_is_charged(ledger: Ledger) -> None:
    """The smallest one decides, and the others keep their room."""
    team = replace(BUDGET, id="b2", scope="team", subject="support", window="month", limit=600)
    load(ledger, BUDGET, team)
    with pytest.raises(InsufficientQuota, match="The month's budget of team support"):
        reserve(ledger, CALLER, 601)
    reserve(ledger, CALLER, 600).settle(600)
    reserve(ledger, Caller(tenant="acme", key_id="k1"), 400).settle(400)


def test_a_refusal_says_whose_budget_how_much_and_until_when(ledger: Ledger, clock: ManualClock) -> None:
    """Everything the caller needs to go on."""
    load(ledger, replace(BUDGET, window="month", limit=10_000_000_000), spent=9_900_000_000)
    hold = reserve(ledger, CALLER, 50_000_000)
    with pytest.raises(InsufficientQuota) as refusal:
        reserve(ledger, CALLER, 75_000_000)
    hold.settle(0)
    assert (refusal.value.status, refusal.value.type, refusal.value.code) == (402, *("insufficient_quota",) * 2)
    assert refusal.value.message == (
        "The month's budget of key k1 does not hold this request: $9.90 of $10.00 are spent, $0.05 are reserved by "
        "requests under way, and this one may cost $0.075. Ask for less or for a cheaper model until it "
        "resets at 2026-01-01T00:00:00Z, or have the limit raised."
    )


def test_a_budget_for_ever_does_not_promise_a_reset(ledger: Ledger) -> None:
    """Waiting would be in vain."""
    load(ledger, replace(BUDGET, window="total"), spent=1_000)
    with pytest.raises(InsufficientQuota, match=r"^The budget of key k1 .* cheaper model, or have"):
        reserve(ledger, CALLER, 1)


def test_a_new_window_begins_with_nothing_spent_at_midnight_utc(ledger: Ledger, clock: ManualClock) -> None:
    """Not a microsecond earlier or later; a clock set back does not bring the old window again."""
    load(ledger, BUDGET)
    clock.set(START + DAY_US - 1)
    spend(ledger, 1_000)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1)
    clock.set(START + DAY_US)
    assert ledger.spent_today("acme") == 0
    spend(ledger, 600)
    clock.set(START + DAY_US - 1)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 401)


def test_a_request_counts_in_the_window_it_began_in(ledger: Ledger, clock: ManualClock) -> None:
    """A stream over midnight is paid by the day it was asked for, as its row says."""
    load(ledger, BUDGET)
    clock.set(START + DAY_US - 1)
    yesterday = reserve(ledger, CALLER, 900)
    clock.set(START + DAY_US)
    late = reserve(ledger, CALLER, 50, at_us=START + DAY_US - 1)
    today = reserve(ledger, CALLER, 1_000)
    for hold in (yesterday, late, today):
        hold.settle(10)
    ledger.committed([row(10, at_us=START + DAY_US - 1)] * 2)
    load(ledger, BUDGET, spent=10, at_us=START + DAY_US, today=10)
    assert ledger.spent_today("acme") == 20


def test_what_others_spent_is_added_to_what_was_spent_here(ledger: Ledger) -> None:
    """Other workers' rows come through the database; this worker's own are not counted twice."""
    load(ledger, BUDGET, spent=100, today=100)
    spend(ledger, 200)
    assert ledger.spent_today("acme") == 300
    load(ledger, BUDGET, spent=100, today=100)
    ledger.committed([row(200), row(None), row(0)])
    assert ledger.spent_today("acme") == 300
    load(ledger, BUDGET, spent=300, today=300)
    assert ledger.spent_today("acme") == 300
    load(ledger, BUDGET, spent=450, today=450)
    assert ledger.spent_today("acme") == 450
    reserve(ledger, CALLER, 550).settle(0)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 551)


def test_figures_read_before_a_commit_and_told_after_it_do_not_free_money(ledger: Ledger) -> None:
    """A late report can be too low, and is then not believed."""
    load(ledger, BUDGET, spent=100)
    spend(ledger, 900)
    ledger.committed([row(900)])
    load(ledger, BUDGET, spent=100)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1)


def test_figures_of_yesterday_do_not_count_today(ledger: Ledger, clock: ManualClock) -> None:
    """Read before midnight, told after it."""
    load(ledger, BUDGET)
    clock.set(START + DAY_US)
    reserve(ledger, CALLER, 1).settle(0)
    load(ledger, BUDGET, spent=1_000, today=1_000, at_us=START + DAY_US - 1)
    assert ledger.spent_today("acme") == 0
    reserve(ledger, CALLER, 1_000)


def test_a_budget_made_while_rows_are_on_their_way_counts_them_once(ledger: Ledger) -> None:
    """They were settled before it was there, and reach the database after."""
    spend(ledger, 300)
    load(ledger, BUDGET)
    ledger.committed([row(300)])
    load(ledger, BUDGET, spent=300)
    reserve(ledger, CALLER, 700).settle(700)
    ledger.committed([row(700)])
    load(ledger, BUDGET, spent=1_000)
    with pytest.raises(InsufficientQuota, match=r"\$0\.000001 of \$0\.000001"):
        reserve(ledger, CALLER, 1)


def test_a_raised_limit_counts_at_once_and_a_removed_budget_no_more(ledger: Ledger) -> None:
    """What was spent under the old limit stays spent."""
    load(ledger, BUDGET)
    spend(ledger, 1_000)
    load(ledger, replace(BUDGET, limit=1_500))
    spend(ledger, 500)
    with pytest.raises(InsufficientQuota):
        reserve(ledger, CALLER, 1)
    load(ledger)
    reserve(ledger, CALLER, 10_000)


def test_spending_today_is_known_by_tenant_and_in_all(ledger: Ledger, clock: ManualClock) -> None:
    """Also for tenants that no request of this process came from."""
    ledger.load([], {}, today={"acme": 100, "other": 50}, at_us=START)
    spend(ledger, 7)
    assert [ledger.spent_today(tenant) for tenant in ("acme", "other", "nobody", None)] == [107, 50, 0, 157]
    clock.set(START + DAY_US)
    assert ledger.spent_today() == 0


@given(
    costs=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), st.booleans()), max_size=40),
    limit=st.integers(0, 3_000),
)
def test_settled_and_held_money_never_exceeds_a_hard_limit(costs: Sequence[tuple[int, int, bool]], limit: int) -> None:
    """Whatever is held, settled below its hold, or left open, in any order."""
    ledger = Ledger(ManualClock(START))
    load(ledger, replace(BUDGET, limit=limit))
    open_holds: list[Reservation] = []
    held = spent = 0
    for ceiling, cost, stays_open in costs:
        try:
            hold = reserve(ledger, CALLER, ceiling)
        except InsufficientQuota:
            assert held + spent + ceiling > limit
            continue
        if stays_open:
            open_holds.append(hold)
            held += ceiling
        else:
            hold.settle(min(cost, ceiling))
            spent += min(cost, ceiling)
        assert held + spent <= limit or ceiling == 0
    assert ledger.open_holds == len(open_holds)
    for hold in open_holds:
        hold.settle(0)
    assert (ledger.open_holds, ledger.spent_today()) == (0, spent)


class ThreeWorkers(RuleBasedStateMachine):
    """Workers that share a database: what each thinks was spent lies between the truth it can know and the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.ledgers = [Ledger(ManualClock(START)) for _ in range(3)]
        self.settled = [0, 0, 0]
        self.committed = [0, 0, 0]
        self.read = 0
        for ledger in self.ledgers:
            load(ledger, replace(BUDGET, is_hard=False))

    @rule(worker=st.integers(0, 2), cost=st.integers(1, 100))
    def spend(self, worker: int, cost: int) -> None:
        """A request ends."""
        spend(self.ledgers[worker], cost)
        self.settled[worker] += cost

    @rule(worker=st.integers(0, 2))
    def commit(self, worker: int) -> None:
        """A batch reaches the database."""
        waiting = self.settled[worker] - self.committed[worker]
        self.ledgers[worker].committed([row(waiting)])
        self.committed[worker] += waiting

    @rule()
    def look(self) -> None:
        """Figures are read that will be told later."""
        self.read = sum(self.committed)

    @rule(worker=st.integers(0, 2))
    def tell(self, worker: int) -> None:
        """A worker hears the figures read last."""
        load(self.ledgers[worker], replace(BUDGET, is_hard=False), spent=self.read, today=self.read)

    @invariant()
    def nothing_is_counted_twice_or_forgotten(self) -> None:
        """At least one's own, at most everything; and everything, once all is committed, read and told."""
        for ledger, own in zip(self.ledgers, self.settled, strict=True):
            assert own <= ledger.spent_today() <= sum(self.settled)

    def teardown(self) -> None:
        """When all is quiet everybody knows the truth."""
        for worker in range(3):
            self.commit(worker)
        self.look()
        for worker, ledger in enumerate(self.ledgers):
            self.tell(worker)
            assert ledger.spent_today() == sum(self.settled)


TestThreeWorkers = ThreeWorkers.TestCase
