"""The sockets that the gateway listens on: one for each of its processes, all at one address."""

from __future__ import annotations

import errno
import socket
import sys

from farthing.cli.terminal import CommandError

BACKLOG = 4096
"""Connections that wait in the kernel; as many as most systems allow."""


def listen(host: str, port: int, *, number: int = 1) -> list[socket.socket]:
    """Listening TCP sockets at one address, among which the kernel deals out connections; elsewhere than on Linux one.

    Raises `CommandError` saying what to do where the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        first = _opened(family)
    except OSError as error:
        raise CommandError(f"cannot listen on {host}: {error.strerror}: choose another address with --host") from error
    listeners = [first]
    try:
        first.bind(address)
        if number > 1 and sys.platform == "linux":
            # Only now: a port that somebody else shares in the same way is in use, too.
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            for _ in range(number - 1):
                listeners.append(_opened(family))
                listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listeners[-1].bind(first.getsockname())
        for listener in listeners:
            # Listening before the workers are up lets early callers wait instead of being refused.
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise CommandError(_refusal(error, host, port)) from error
    return listeners


def _opened(family: socket.AddressFamily) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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
