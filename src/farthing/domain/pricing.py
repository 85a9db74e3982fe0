"""What a call costs, in integers: nano-dollars (10⁻⁹ USD) from rates in nano-dollars per million tokens."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.chat import Usage

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

TOKEN_CLASSES = (
    "prompt",
    "cached",
    "cached_audio",
    "cache_write_5m",
    "cache_write_1h",
    "audio_in",
    "image_in",
    "completion",
    "reasoning",
    "audio_out",
    "image_out",
)
"""The fields of `Usage` that count tokens, in the order in which parts of a cost are listed."""
TOOL_CLASSES = ("web_searches", "file_searches")
"""The fields of `Usage` that count calls of the vendor's own tools."""


class PriceData(Struct, frozen=True, kw_only=True):
    """Which prices are known, and how old they are."""

    source: str = "farthing.toml"
    """The price data with its version, or where else prices come from."""
    newest: str | None = None
    """The day (UTC) of the newest list price that holds, such as `2026-11-01`; None where there are no list prices."""


class Rates(Struct, frozen=True, kw_only=True):
    """Nano-dollars per million tokens for each token class; `per_request` in nano-dollars."""

    prompt: int
    cached: int
    cached_audio: int
    cache_write_5m: int
    cache_write_1h: int
    audio_in: int
    image_in: int
    completion: int
    reasoning: int
    audio_out: int
    image_out: int
    per_request: int = 0


class ToolFees(Struct, frozen=True, kw_only=True):
    """Nano-dollars for each call of a vendor's own tool; None where no price is known."""

    web_searches: int | None = None
    file_searches: int | None = None

    @property
    def dearest(self) -> int:
        """Nano-dollars for a call of the one that costs most, as far as prices are known."""
        return max(self.web_searches or 0, self.file_searches or 0)


NO_FEES_KNOWN = ToolFees()


class Line(Struct, frozen=True, array_like=True, gc=False):
    """A cost that grows with the output by the token."""

    base: int
    """Before any further output, in millionths of a nano-dollar: before it is rounded."""
    slope: int
    """What a token of output adds, in the same unit."""

    def cost(self, tokens_out: int) -> int:
        """Nano-dollars with so many tokens of output, rounded half up."""
        return (self.base + tokens_out * self.slope + 500_000) // 1_000_000


def _exact(usage: Usage, rates: Rates) -> int:
    """Millionths of a nano-dollar, but for what the call itself costs."""
    exact = usage.prompt * rates.prompt + usage.completion * rates.completion
    if usage.reasoning or usage.cached or usage.cached_audio or usage.cache_write_5m or usage.cache_write_1h:
        exact += (
            usage.reasoning * rates.reasoning
            + usage.cached * rates.cached
            + usage.cached_audio * rates.cached_audio
            + usage.cache_write_5m * rates.cache_write_5m
            + usage.cache_write_1h * rates.cache_write_1h
        )
    if usage.audio_in or usage.image_in or usage.audio_out or usage.image_out:
        exact += (
            usage.audio_in * rates.audio_in
            + usage.image_in * rates.image_in
            + usage.audio_out * rates.audio_out
            + usage.image_out * rates.image_out
        )
    return exact


class PriceSheet(Struct, frozen=True, kw_only=True):
    """The rates of one model; above `above_tokens` of input the whole call is charged at that step's rates."""

    version: str
    """Names source and date, and is stored with every row priced by it."""
    steps: tuple[tuple[int, Rates], ...]
    """`(above_tokens, rates)`, ascending, the first step at 0."""
    tools: ToolFees = NO_FEES_KNOWN

    @property
    def charges_caching(self) -> bool:
        """Whether a prompt may cost more where it is written to the cache."""
        for _, rates in self.steps:
            if rates.cache_write_5m > rates.prompt or rates.cache_write_1h > rates.prompt:
                return True
        return False

    def rates(self, tokens_in: int) -> Rates:
        """The rates that hold for a call with this many input tokens."""
        chosen = self.steps[0][1]
        for above, rates in self.steps[1:]:
            if tokens_in > above:
                chosen = rates
        return chosen

    def estimate(self, tokens_in: int, tokens_out: int) -> int:
        """Nano-dollars for plain input and output tokens, rounded half up; what `cost` says of the same usage."""
        rates = self.steps[0][1] if len(self.steps) == 1 else self.rates(tokens_in)
        return (tokens_in * rates.prompt + tokens_out * rates.completion + 500_000) // 1_000_000 + rates.per_request

    def most(self, tokens_in: int, tokens_out: int, *, writes_cache: bool = False, is_text: bool = True) -> int:
        """Nano-dollars at the dearest rates there are: all of it written to the cache, or all thinking.

        Where not all `is_text`, sounds and pictures are among them.
        """
        rates = self.steps[0][1] if len(self.steps) == 1 else self.rates(tokens_in)
        read, wrote = rates.prompt, rates.completion
        if rates.reasoning != wrote:
            wrote = max(wrote, rates.reasoning)
        if writes_cache:
            read = max(read, rates.cache_write_5m, rates.cache_write_1h)
        if not is_text:
            read, wrote = max(read, rates.audio_in, rates.image_in), max(wrote, rates.audio_out, rates.image_out)
        return (tokens_in * read + tokens_out * wrote + 500_000) // 1_000_000 + rates.per_request

    def cost(self, usage: Usage) -> int:
        """Nano-dollars for the usage, rounded half up once for the whole call."""
        rates = self.steps[0][1] if len(self.steps) == 1 else self.rates(usage.tokens_in)
        cost = (_exact(usage, rates) + 500_000) // 1_000_000 + rates.per_request
        return cost + self._fees(usage) if usage.web_searches or usage.file_searches else cost

    def knows_tools(self, usage: Usage) -> bool:
        """Whether every tool of the vendor's that was used has a price here: a cost without it is too low."""
        if not usage.web_searches and not usage.file_searches:
            return True
        return all(not getattr(usage, name) or getattr(self.tools, name) is not None for name in TOOL_CLASSES)

    def line(self, usage: Usage) -> Line:
        """What a call costs that has used so much and goes on to write: with each further token the same as `cost`."""
        rates = self.rates(usage.tokens_in)
        by_call = rates.per_request + self._fees(usage)
        return Line(_exact(usage, rates) + by_call * 1_000_000, rates.completion)

    def parts(self, usage: Usage) -> dict[str, int]:
        """Nano-dollars by token class and tool; rounding is cumulative, so that the parts sum to the cost exactly."""
        rates = self.rates(usage.tokens_in)
        parts: dict[str, int] = {}
        exact = booked = 0
        for name in TOKEN_CLASSES:
            tokens = getattr(usage, name)
            if tokens:
                exact += tokens * getattr(rates, name)
                rounded = (exact + 500_000) // 1_000_000
                parts[name] = rounded - booked
                booked = rounded
        if rates.per_request:
            parts["per_request"] = rates.per_request
        fees = {name: getattr(usage, name) * (getattr(self.tools, name) or 0) for name in TOOL_CLASSES}
        return parts | {name: fee for name, fee in fees.items() if fee}

    def _fees(self, usage: Usage) -> int:
        """Nano-dollars for the vendor's own tools, as far as their prices are known."""
        fees = self.tools
        return usage.web_searches * (fees.web_searches or 0) + usage.file_searches * (fees.file_searches or 0)
