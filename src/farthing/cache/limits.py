"""Limits that all workers count together in Redis, by the server's own clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from farthing.cache.redis import RedisLink
from farthing.domain.limits import DEEPEST_US, SLOT_WAIT_US, WINDOW_US, Round, Verdict, Wish

if TYPE_CHECKING:
    from redis.asyncio.client import Pipeline

LEASE_US = 60_000_000
"""After which the places of a worker that is not heard of are free again."""


class RedisLimits:
    """One script for each request, which takes of all its limits or of none. Implements `ports.SharedLimits`.

    A key bears its tenant's name in braces, so that all keys of a script live on one node of a cluster.
    """

    patience_s = 0.05

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def round(self, worker: str, asked: Round) -> Sequence[Verdict] | None:
        """Everything in one round trip. None at once while Redis is known to be away: `attend` finds out otherwise."""
        if self._link.state == "away":
            return None
        pipe = self._link.client.pipeline(transaction=False)
        for name, more in asked.corrections.items():
            pipe.eval(_CORRECT, 1, self._key(name), *_texts(more, DEEPEST_US))
        self._hold(pipe, worker, asked.held)
        for wanted in asked.wishes:
            keys = [self._key(bound.name) for bound in wanted.bounds]
            pipe.eval(_TAKE, len(keys), *keys, worker, *_texts(LEASE_US, WINDOW_US), *_arguments(wanted, asked.known))
        answers = await self._link.ask(pipe.execute())
        if answers is None:
            return None
        return [_verdict(answer) for answer in answers[len(answers) - len(asked.wishes) :]]

    async def attend(self, worker: str, held: Mapping[str, int]) -> int | None:
        """Renews what this worker holds, and counts those that have attended within a minute."""
        pipe = self._link.client.pipeline(transaction=False)
        self._hold(pipe, worker, held)
        pipe.eval(_ATTEND, 1, f"{self._link.prefix}limits:workers", worker, *_texts(LEASE_US))
        answers = await self._link.ask(pipe.execute())
        return None if answers is None else int(answers[-1])

    def _hold(self, pipe: Pipeline, worker: str, held: Mapping[str, int]) -> None:
        for name, number in held.items():
            pipe.eval(_HOLD, 1, self._key(name), worker, *_texts(number, LEASE_US))

    def _key(self, name: str) -> str:
        return f"{self._link.prefix}limit:{name}"


def _arguments(wanted: Wish, known: Mapping[str, int]) -> Iterable[str]:
    """For each bound its kind, and of a rate the cost and the level to begin with, of places their number and wait."""
    for bound, price in zip(wanted.bounds, wanted.costs, strict=True):
        if bound.kind == "concurrency":
            yield from ("places", *_texts(bound.limit, SLOT_WAIT_US))
        else:
            yield from ("rate", *_texts(price, known.get(bound.name, 0)))


def _texts(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


def _verdict(answer: Sequence[Any]) -> Verdict:
    refused, wait_us, *levels = map(int, answer)
    if not refused:
        return Verdict(tuple(levels))
    return Verdict(tuple(levels), refused - 1, wait_us)


_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function keep(key, level)
  local lives = string.format('%.0f', math.ceil(level / 1000) + 1000)
  redis.call('SET', key, string.format('%.0f', now + level), 'PX', lives)
end
"""
"""Numbers are formatted here: Lua itself would round what has more than 14 digits."""

_CORRECT = (
    _NOW
    + """
local level = math.max(0, (tonumber(redis.call('GET', KEYS[1])) or 0) - now)
local mended = math.max(0, math.min(level + ARGV[1], math.max(level, tonumber(ARGV[2]))))
if mended > 0 then keep(KEYS[1], mended) else redis.call('DEL', KEYS[1]) end
return 1
"""
)

_HOLD = (
    _NOW
    + """
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now + ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[3] / 1000))
end
return 1
"""
)

_TAKE = (
    _NOW
    + """
local worker, lease, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local levels, mine, refused, longest = {}, {}, 0, 0
for place, key in ipairs(KEYS) do
  local kind, first, second = ARGV[3 * place + 1], tonumber(ARGV[3 * place + 2]), tonumber(ARGV[3 * place + 3])
  local wait = 0
  if kind == 'rate' then
    levels[place] = (tonumber(redis.call('GET', key)) or 0) - now
    if levels[place] <= 0 then levels[place] = second end
    if levels[place] > 0 then wait = levels[place] + first - window end
  else
    local fields, others = redis.call('HGETALL', key), 0
    mine[place] = 0
    for at = 1, #fields, 2 do
      local number, ends = string.match(fields[at + 1], '(%d+) (%d+)')
      if fields[at] == worker then
        mine[place] = tonumber(number)
      elseif tonumber(ends) > now then
        others = others + number
      else
        redis.call('HDEL', key, fields[at])
      end
    end
    levels[place] = others + mine[place]
    if levels[place] >= first then wait = second end
  end
  if wait > longest then refused, longest = place, wait end
end
if refused > 0 then return {refused, longest, unpack(levels)} end
for place, key in ipairs(KEYS) do
  local first = tonumber(ARGV[3 * place + 2])
  if mine[place] then
    levels[place] = levels[place] + 1
    redis.call('HSET', key, worker, (mine[place] + 1) .. ' ' .. string.format('%.0f', now + lease))
    redis.call('PEXPIRE', key, string.format('%.0f', lease / 1000))
  else
    levels[place] = levels[place] + first
    keep(key, levels[place])
  end
end
return {0, 0, unpack(levels)}
"""
)
"""As `farthing.domain.limits.judge`."""

_ATTEND = (
    _NOW
    + """
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] / 1000))
return redis.call('ZCARD', KEYS[1])
"""
)
