"""The socket that the gateway listens on, shared by all its processes."""

from __future__ import annotations

import errno
import socket

from farthing.cli.terminal import CommandError

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises `CommandError` saying what to do where the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"cannot listen on {host}: {error.strerror}: choose another address with --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        # Listening before the workers are up lets early callers wait instead of being refused.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CommandError(_refusal(error, host, port)) from error
    return listener


def _refusal(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is in use: end what listens there, or choose another port with --port"
        case errno.EACCES:
            return f"port {port} is not for everybody: choose one from 1024 up with --port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: choose another with --host"
    return f"cannot listen on {host}, port {port}: {error.strerror}"
