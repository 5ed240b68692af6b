"""The address of the embedded service."""

from __future__ import annotations

import socket

import pytest

from core.errors import ConfigurationError
from launcher import address


def test_zero_takes_a_free_port() -> None:
    port = address.reserve("127.0.0.1", 0)

    assert port > 1023
    assert address.reserve("127.0.0.1", port) == port, "nothing listens there"


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationError, match=rf"Port {port} is in use .* choose another with --port"):
            address.reserve("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an address of this machine; choose another --host"):
        address.reserve(host, 0)


def test_a_port_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(ConfigurationError, match="Port 80 needs administrator rights"):
        address.reserve("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("xray.example.org", "http://xray.example.org:8000"),
    ],
)
def test_the_url_for_a_browser_here(host: str, url: str) -> None:
    assert address.local_url(host, 8000) == url
