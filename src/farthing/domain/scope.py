"""Which requests something holds for, without their naming it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Where = Literal["key", "route", "tag"]


class Scope(Struct, frozen=True):
    """Requests of a key, of a route, or with a tag."""

    where: Where
    value: str
    """The key's id, the route's path, or a tag as `name=value`."""

    def covers(self, route: str, key_id: str | None, tags: Mapping[str, str]) -> bool:
        """Whether a request is one of them, which came by this route and key with these tags."""
        if self.where == "key":
            return key_id == self.value
        if self.where == "route":
            return route == self.value
        name, _, value = self.value.partition("=")
        return tags.get(name) == value
