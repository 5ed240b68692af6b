"""The address that the embedded service listens on: checked before anything is started."""

from __future__ import annotations

import errno
import socket

from core.errors import ConfigurationError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # recognised, not bound
"""What "every address" means to a browser on this machine."""


def reserve(host: str, port: int) -> int:
    """The port to use: `port`, or a free one for 0. It was free a moment ago.

    Raises:
        ConfigurationError: the port is in use, needs root, or `host` is no address of this machine.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: TIME_WAIT is no use
            probe.bind(address)
            probe.listen()
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(_explain(error, host, port)) from error


def _explain(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"{host} is not an address of this machine; choose another --host."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use by another program; stop it, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs administrator rights; choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; choose another --host."
    return f"Cannot listen on {host} port {port}: {error.strerror}."


def local_url(host: str, port: int) -> str:
    """The URL at which a browser on this machine finds the service."""
    host = ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
