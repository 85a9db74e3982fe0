"""Asks a running gateway."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from farthing.cli.terminal import CommandError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_MAX_BYTES = 64 * 1024 * 1024
_DENIED = frozenset({http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN})


class Denied(CommandError):
    """The key, or its absence, does not reach this."""


class Gateway:
    """A gateway at `url` (http or https), asked with `key` where it wants one."""

    def __init__(self, url: str, key: str | None, *, patience_s: float = 30.0) -> None:
        """`patience_s` is how long an answer may take. Raises `CommandError` for an address that is none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f'"{url}" is no address of a gateway: expected http://host:port')
        self.url = url.rstrip("/")
        """Where it is, without a path."""
        self._key = key
        self._patience_s = patience_s

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> dict[str, Any]:
        """The JSON object at this path; parameters that are None are left out. Raises `CommandError`."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._told("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers this one. Raises `CommandError`."""
        return self._told("POST", path, json.dumps(body).encode())

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers a change. Raises `CommandError`."""
        return self._told("PATCH", path, json.dumps(body).encode())

    def listen(self, path: str) -> ClientConnection:
        """A WebSocket at this path. Raises `OSError` and `WebSocketException`."""
        from websockets.sync.client import connect

        return connect(
            f"ws{self.url.removeprefix('http')}{path}",
            additional_headers=self._identity(),
            open_timeout=self._patience_s,
            close_timeout=1,
            proxy=None,
        )

    def _identity(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"} if self._key else {}

    def _told(self, method: str, target: str, sent: bytes | None) -> dict[str, Any]:
        status, body = self._exchange(method, target, sent)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if status in {http.HTTPStatus.OK, http.HTTPStatus.CREATED} and isinstance(answer, dict):
            return answer
        message = self._refusal(status, answer)
        raise Denied(message) if status in _DENIED else CommandError(message)

    def _exchange(self, method: str, target: str, sent: bytes | None) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        headers = {"accept": "application/json", **self._identity()}
        if sent is not None:
            headers["content-type"] = "application/json"
        try:
            connection = make(parts.hostname or "", parts.port, timeout=self._patience_s)
            try:
                connection.request(method, parts.path + target, sent, headers)
                response = connection.getresponse()
                return response.status, response.read(_MAX_BYTES)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise CommandError(
                f"no gateway answers at {self.url} ({reason}): start one with `farthing serve`, or name it with --url"
            ) from error

    def _refusal(self, status: int, answer: Any) -> str:  # noqa: ANN401 (JSON)
        error = answer.get("error") if isinstance(answer, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        if status in _DENIED:
            return f"the gateway at {self.url} wants an admin key: set FARTHING_MASTER_KEY ({message or status})"
        return message or f"what answers at {self.url} is no Farthing gateway (HTTP {status})"
