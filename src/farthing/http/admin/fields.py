"""What admin routes take: strict fields, and bodies that refuse whatever they do not name."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from farthing.domain.budget import nano_dollars
from farthing.domain.errors import Forbidden
from farthing.domain.keys import MAX_NAME, is_name
from farthing.domain.limits import Limits
from farthing.domain.tenancy import limits_or_none

MOST_MODELS = 1000
LARGEST_FIGURE = 10**12
MOST_ROWS = 1000


def _name(text: str) -> str:
    """The text. Raises ValueError unless it names something."""
    if not is_name(text):
        raise ValueError(f"expected 1 to {MAX_NAME} visible characters and no space around them")
    return text


def _count(value: object) -> object:
    """The value. Raises ValueError for `true`, which Python takes for 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 (pydantic reads ValueError alone)
    return value


def _amount(value: object) -> object:
    """Nano-dollars in a number or a text of US dollars. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected an amount in US dollars such as 12.50")  # noqa: TRY004 (pydantic reads ValueError alone)
    return nano_dollars(format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value))


Name = Annotated[str, AfterValidator(_name)]
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""An id that people choose."""
Figure = Annotated[int, BeforeValidator(_count), Field(ge=1, le=LARGEST_FIGURE)]
Dollars = Annotated[int, BeforeValidator(_amount)]
"""US dollars in JSON, nano-dollars here."""
Model = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/:@+-]{1,256}$")]
Models = Annotated[list[Model], Field(min_length=1, max_length=MOST_MODELS)]
Moment = Annotated[str, Field(max_length=40)]


class Body(BaseModel):
    """A body of an admin route."""

    model_config = ConfigDict(extra="forbid", strict=True)

    protected: ClassVar[frozenset[str]] = frozenset()
    """Fields that there are, but that nobody sets this way."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_protected(cls, body: Any) -> Any:  # noqa: ANN401 (whatever was sent)
        """Raises `Forbidden` for a protected field."""
        for name in sorted(cls.protected.intersection(body if isinstance(body, dict) else ())):
            raise Forbidden(f"`{name}` cannot be set here.", code="forbidden_field", param=name)
        return body

    def given(self) -> dict[str, Any]:
        """The fields that were sent, null ones too."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Figures(Body):
    """Limits in a body; null is without one."""

    requests_per_minute: Figure | None = None
    tokens_per_minute: Figure | None = None
    concurrent_requests: Figure | None = None

    def limits(self, before: Limits | None = None) -> Limits | None:
        """Those sent, on top of those before."""
        names = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
        given = self.given()
        return limits_or_none(*(given.get(name, getattr(before, name, None)) for name in names))


class Page(BaseModel):
    """Which part of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 50
    cursor: Annotated[str | None, Field(max_length=1024)] = None
