"""What a single setting may be: kinds of texts and numbers, each with what is told of one that is none."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from farthing.domain.catalogue import VIRTUAL_MODELS

RESERVED_PROVIDERS = ("demo", "farthing")
"""Names that answers of simulated or routed models carry; a real provider must not be mistaken for them."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._@-]{0,63})?")
_MODEL_NAME = re.compile(r"[!-~]{1,256}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_HOST = re.compile(r"[0-9A-Za-z.:_%-]+")
_FRAMING_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "content-encoding"}


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError('expected an address or a host name such as "127.0.0.1"')
    return text


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text.startswith("postgres://"):
        text = "postgresql://" + text.removeprefix("postgres://")
    is_file = text.startswith("sqlite:///") and text.removeprefix("sqlite:///") not in {"", ":memory:"}
    if not is_file and not _has_host(text, {"postgresql"}):
        raise ValueError("expected sqlite:///path or postgresql://user@host:port/name")
    return SecretStr(text)


def _redis_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.startswith("unix:///") and not _has_host(text, {"redis", "rediss"}):
        raise ValueError("expected redis://host:port/number, rediss://… or unix:///path")
    return url


def _base_url(text: str) -> str:
    if not _has_host(text, {"http", "https"}) or any(mark in text for mark in "@?#"):
        raise ValueError('expected http:// or https:// with host and path only, such as "http://127.0.0.1:11434/v1"')
    return text.rstrip("/")


def _issuer(text: str) -> str:
    # Kept as it stands: tokens name their issuer letter by letter, with or without a slash at the end.
    _base_url(text)
    return text


def _webhook_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not _has_host(text, {"http", "https"}) or any(mark in text for mark in "@#"):
        raise ValueError('expected http:// or https:// with a host, such as "https://hooks.example.com/farthing"')
    return url


def _has_host(url: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("expected the name of an HTTP header")
    if name.lower() in _FRAMING_HEADERS:
        raise ValueError("expected a header that does not frame the message: this one is set by the gateway")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("expected printable ASCII")
    return value


def _provider_name(name: str) -> str:
    _short_name(name)
    if name in RESERVED_PROVIDERS:
        raise ValueError("expected another name: this one is the gateway's own")
    return name


def _short_name(name: str) -> str:
    if not _SHORT_NAME.fullmatch(name):
        raise ValueError("expected a name of up to 64 letters, digits, dots, dashes or underscores")
    return name


def _place_name(name: str) -> str:
    if not _PLACE_NAME.fullmatch(name):
        raise ValueError('expected a tenant, or a tenant and its team such as "acme/support"')
    return name


def _model_name(name: str) -> str:
    if not _MODEL_NAME.fullmatch(name):
        raise ValueError("expected up to 256 printable ASCII characters without spaces")
    return name


def _own_model_name(name: str) -> str:
    if name in VIRTUAL_MODELS:
        raise ValueError("expected another name: this one asks for routing")
    return _model_name(name)


def _variable_name(name: str) -> str:
    if not _VARIABLE_NAME.fullmatch(name):
        raise ValueError('expected the name of an environment variable such as "LOCAL_KEY", never the key itself')
    return name


def _mail_address(text: str) -> str:
    if not _MAIL_ADDRESS.fullmatch(text):
        raise ValueError('expected a mail address such as "finops@example.com"')
    return text


def _offered(wanted: bool) -> bool:  # noqa: FBT001 (pydantic calls it with the value)
    if wanted:
        raise ValueError("expected false: this version has no semantic cache")
    return wanted


ModelName = Annotated[str, AfterValidator(_model_name)]
Name = Annotated[str, AfterValidator(_short_name)]
PlaceName = Annotated[str, AfterValidator(_place_name)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Address = Annotated[str, AfterValidator(_mail_address)]
Port = Annotated[int, Field(ge=1, le=65_535)]
UsdPerDay = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=9)]
UsdPerMillionTokens = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)]
UsdPerThousand = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]
Host = Annotated[str, AfterValidator(_host)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Offered = Annotated[bool, AfterValidator(_offered)]
Issuer = Annotated[str, AfterValidator(_issuer)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
WebhookUrl = Annotated[SecretStr, AfterValidator(_webhook_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
OwnModelName = Annotated[str, AfterValidator(_own_model_name)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]
