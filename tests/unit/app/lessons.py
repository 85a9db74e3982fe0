"""Requests of two models whose answers were rated."""

from __future__ import annotations

from farthing.ports.learning import Lesson
from farthing.store import Store
from tests.conformance.store.samples import exchange

SECOND_US = 1_000_000
MODELS = """
[providers.nobody]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"

[[models]]
name = "small"
provider = "nobody"
tier = "simple"
input_usd_per_mtok = 1
output_usd_per_mtok = 2

[[models]]
name = "large"
provider = "nobody"
tier = "complex"
input_usd_per_mtok = 10
output_usd_per_mtok = 20
"""
"""Settings of the two, whom nobody can ask."""


async def teach(store: Store, count: int = 20, *, from_us: int, large: float = 5) -> None:
    """The small model fails at sums, the large one is rated `large` at all; a question each second, asked of both."""
    lessons = [
        Lesson(
            request_id=f"019adb00-0000-7000-8{place:03}-{from_us % 10**6 + number:012}",
            created_at_us=from_us + number * SECOND_US,
            tenant="acme",
            model=model,
            prompt=f"Add {number} and {number * 7}." if number % 2 else f"Write a poem about shore {number}.",
            cost=1_000_000 * place,
        )
        for number in range(count)
        for place, model in enumerate(("small", "large"), 1)
    ]
    rows = [
        exchange(request_id=each.request_id, created_at_us=each.created_at_us, model=each.model) for each in lessons
    ]
    await store.ingest.write(rows)
    await store.lessons.keep(lessons)
    for each in lessons:
        is_bad = each.model == "small" and each.prompt.startswith("Add")
        grade = large if each.model == "large" else 1 if is_bad else 5
        await store.feedback.rate(each.request_id, grade, tenant=None, principal=None)
