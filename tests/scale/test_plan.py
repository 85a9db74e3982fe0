"""Counts become needs, needs become machines, and machines dollars, by sums that can be done by hand."""

import pytest
from msgspec import ValidationError
from msgspec.structs import replace

from benchmarks.scale.counted import PerWorker, costs, per_request, per_worker
from benchmarks.scale.counting import Counts, kind
from benchmarks.scale.inputs import FILE, Costs, Inputs, Own, load
from benchmarks.scale.plan import Asked, Need, most, plan, workers
from benchmarks.scale.report import short
from benchmarks.scale.walls import walls
from tests.scale.conftest import work


def test_rest_is_taken_off_by_the_time_it_took() -> None:
    """Half as long a run contains half of what was asked at rest."""
    busy, idle = work(requests=5, seconds=5.0, wal_bytes=3000.0), work(requests=0)
    left = busy.less(idle)
    assert (left.seconds, left.requests) == (5.0, 5)
    assert (left.wal_bytes, left.redis_cpu_us) == (2500.0, 500.0)
    assert left.redis == {"get": 300.0, "set": 200.0}
    assert left.postgres == {"transactions": 500.0, "ledger": 25.0}


def test_a_mean_request_is_mixed_of_its_kinds() -> None:
    """A tenth are hits, and of the rest a quarter is streamed; nothing is asked less often than never."""
    whole, streamed = work(wal_bytes=100_000.0), work(wal_bytes=200_000.0)
    hit = work(wal_bytes=-1.0)
    counts = Counts(idle=work(0), forwarded=whole, streamed=streamed, again=hit, repeated=hit)
    mixed = per_request(counts, streamed=0.25, hits=0.1)
    assert mixed.wal_bytes == pytest.approx(0.9 * (0.75 * 1000 + 0.25 * 2000))
    assert mixed.redis_commands == pytest.approx(10.0)
    assert mixed.transactions == pytest.approx(10.0)


def test_what_a_worker_spends_is_counted_but_for_events() -> None:
    """Whole answers and those from memory; the rest is known from elsewhere."""
    whole, hit = work(gateway_cpu_us=50_000.0), work(gateway_cpu_us=2_000.0)
    counts = Counts(idle=work(0), forwarded=whole, streamed=hit, again=hit, repeated=hit)
    assert costs(counts, Own(event_us=12.0, row_us=10.0, batch_ms=50)) == Costs(
        forward_us=500.0, hit_us=20.0, event_us=12.0, row_us=10.0, batch_ms=50
    )


def test_rest_is_shared_by_both_workers() -> None:
    """A thousand transactions in ten seconds are fifty a second for each."""
    counts = Counts(*[work() for _ in range(5)])
    assert per_worker(counts) == PerWorker(transactions=50.0, postgres_cpu_us=50.0)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('COPY "farthing_batch"("request_id")', "ledger"),
        ("INSERT INTO value_metrics (dimension)", "ledger"),
        ("INSERT INTO response_cache (key)", "answer kept"),
        ("SELECT response_cache.entry \nFROM response_cache", "answer looked up"),
        ("SELECT keys.key_id FROM keys", "snapshot"),
        ("BEGIN", "transactions"),
        ("SELECT set_config($1, $2, true)", "their ends and limits"),
        ("ANALYZE", "other"),
    ],
)
def test_statements_are_told_apart(statement: str, expected: str) -> None:
    """By what they do to which table."""
    assert kind(statement) == expected


def test_the_largest_need_decides() -> None:
    """And is named."""
    assert most(processor=1.2, memory=3.4) == Need(3.4, "memory")


@pytest.mark.parametrize(("exact", "paid"), [(0.01, 0.125), (0.3, 0.375), (1.0, 1.0), (1.01, 2.0)])
def test_less_than_a_machine_is_a_smaller_one(exact: float, paid: float) -> None:
    """In eighths; above, machines are whole."""
    assert Need(exact, "any").paid == paid


def test_a_lost_zone_leaves_enough_workers(asked: Asked, inputs: Inputs) -> None:
    """A millisecond each, half busy, one of three zones lost: three workers for a thousand a second."""
    assert workers(1000.0, asked, inputs) == 3


def test_a_plan_adds_up(asked: Asked, inputs: Inputs) -> None:
    """A hundred thousand a second, by hand."""
    found = plan(1e5, asked, inputs)
    assert found.workers == 300
    assert found.hosts == Need(300 / inputs.machine.vcpus, "processor")
    assert found.open_streams == 1e5 * 2.0 * 1.5
    assert (found.redis_ops, found.rows, found.wal_bytes) == (4e5, 1e5, 4e8)
    assert found.transactions == 2e5 + 300 * 10
    assert (found.redis.by, found.postgres_ledger.by) == ("memory", "sums")
    assert found.redis.exact == pytest.approx(1e8 * 86_400 / (100 * 2**30))
    assert found.postgres_ledger.exact == pytest.approx(0.4)
    assert found.postgres == Need(1.0, "log")
    assert found.rows_month_tb == pytest.approx(1e5 * 730 * 3600 * 500 / 1e12)
    assert found.dollars["gateways"] == pytest.approx(10 * 32 * 0.0408 * 730)
    assert found.dollars["PostgreSQL"] == pytest.approx(2 * 64 * 0.0408 * 730)
    assert found.vendor_accounts == 200


def test_small_rates_are_held_by_a_small_host_in_each_zone(asked: Asked, inputs: Inputs) -> None:
    """However little there is to do."""
    found = plan(1.0, asked, inputs)
    assert found.hosts == Need(3 / 8, "zones")
    assert found.dollars["gateways"] == pytest.approx(3 * 4 * 0.0408 * 730)


def test_long_answers_make_memory_the_need(asked: Asked, inputs: Inputs) -> None:
    """Where each takes ten minutes, the streams of a host fill it before its processors are busy."""
    patient = replace(asked, mean=asked.mean._replace(duration_s=600.0))
    assert plan(1e5, patient, inputs).hosts.by == "memory"


def test_walls_come_in_order(asked: Asked, inputs: Inputs) -> None:
    """The nearest first; a worker's own is where its time is used up to the limit."""
    found = walls(asked, inputs)
    rates = [wall.rate for wall in found]
    assert rates == sorted(rates)
    by_name = {wall.what: wall.rate for wall in found}
    assert by_name["one worker"] == 500.0
    assert by_name["one worker's connections to one vendor"] == pytest.approx(10_000 / 3)
    assert by_name["one account at one vendor"] == 500.0
    assert by_name["one Redis's thread"] == 10_000.0
    assert by_name["the sums that all rows of a tenant share"] == 250_000.0


@pytest.mark.parametrize(
    ("number", "expected"), [(0.25, "0.2"), (3, "3"), (3.0, "3"), (287.1, "287"), (1234, "1.2 k"), (34e6, "34 M")]
)
def test_numbers_are_short(number: float, expected: str) -> None:
    """Two or three digits."""
    assert short(number) == expected


def test_a_misspelt_input_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A plan with a forgotten figure would be a wrong one."""
    file = tmp_path_factory.mktemp("inputs") / "inputs.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace("forward_us", "forwards_us"), encoding="utf-8")
    with pytest.raises(ValidationError, match="forward"):
        load(file)
