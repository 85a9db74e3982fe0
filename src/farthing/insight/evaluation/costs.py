"""What an answer cost where the file does not say: list prices by tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from farthing.domain.routing.needs import LIKELY_TOKENS_OUT
from farthing.domain.tokens import estimate
from farthing.insight.learning.labels import BadLabels, Labelled, Outcome

LIST_PRICES: Mapping[str, float] = {
    # RouteLLM (arXiv 2406.18665), appendix on costs: in and out blended.
    "gpt-4-1106-preview": 24.7,
    "mixtral-8x7b-instruct": 0.24,
    # The candidates of ulab-uiuc/LLMRouter, in and out alike.
    "codegemma-7b": 0.20,
    "gemma-2-9b-it": 0.10,
    "llama-3.1-8b-instruct": 0.20,
    "llama-3.1-nemotron-51b-instruct": 0.90,
    "llama-3.3-nemotron-super-49b-v1": 0.90,
    "llama3-chatqa-1.5-70b": 0.90,
    "llama3-chatqa-1.5-8b": 0.20,
    "mistral-7b-instruct-v0.3": 0.20,
    "qwen2.5-7b-instruct": 0.20,
}
"""US dollars per million tokens, in and out, of models whose recorded outcomes are published without a cost."""

_MILLION = 1e6


def priced(rows: Sequence[Labelled], prices: Mapping[str, float]) -> list[Labelled]:
    """The rows with a cost for every outcome: what is recorded, else tokens of prompt and answer at the list price.

    An answer that is not recorded counts as the tokens that a simple prompt is answered with. `prices`, in US dollars
    per million tokens, go before `LIST_PRICES`. Raises `BadLabels` for a model whose price nobody knows.
    """
    known = {**LIST_PRICES, **prices}
    unknown = {model for row in rows for model, outcome in row.outcomes.items() if outcome.cost is None} - set(known)
    if unknown:
        some = min(unknown)
        raise BadLabels(
            f"what {some} costs is not known: record cost_usd with each outcome, or give --price {some}=USD_PER_MTOK"
        )
    return [_priced(row, known) for row in rows]


def _priced(row: Labelled, prices: Mapping[str, float]) -> Labelled:
    if all(outcome.cost is not None for outcome in row.outcomes.values()):
        return row
    tokens_in = estimate(row.prompt)
    outcomes = {model: _with_cost(outcome, tokens_in, prices, model) for model, outcome in row.outcomes.items()}
    return replace(row, outcomes=outcomes)


def _with_cost(outcome: Outcome, tokens_in: int, prices: Mapping[str, float], model: str) -> Outcome:
    if outcome.cost is not None:
        return outcome
    tokens_out = LIKELY_TOKENS_OUT["simple"] if outcome.response is None else estimate(outcome.response)
    return replace(outcome, cost=(tokens_in + tokens_out) * prices[model] / _MILLION)
