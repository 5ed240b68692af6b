"""Two hosts in network namespaces, joined by one cable that tests may pull. Root on Linux only.

The test itself moves to the first host, and with it every server and process that it starts there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")


class Hosts:
    """`first` and `second` are addresses; `on_second()` starts processes there; the cable is whole at the start."""

    first = "10.213.0.1"
    second = "10.213.0.2"

    def __init__(self) -> None:
        self._names = [f"pns-{os.getpid()}-{side}" for side in ("a", "b")]
        self._cables = [f"pns{os.getpid() % 100_000}{side}" for side in ("a", "b")]

    def make(self) -> None:
        here, there = self._names
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        cable, other_end = self._cables
        _ip("-n", here, "link", "add", cable, "type", "veth", "peer", "name", other_end, "netns", there)
        for name, end, address in zip(self._names, self._cables, (self.first, self.second), strict=True):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", end)
        self.plug()

    def plug(self) -> None:
        for name, end in zip(self._names, self._cables, strict=True):
            _ip("-n", name, "link", "set", end, "up")

    def unplug(self) -> None:
        """From now on no packet passes, and nobody is told."""
        _ip("-n", self._names[1], "link", "set", self._cables[1], "down")

    @contextmanager
    def on_first(self) -> Iterator[None]:
        with _inside(NAMESPACES / self._names[0]):
            yield

    @contextmanager
    def on_second(self) -> Iterator[None]:
        with _inside(NAMESPACES / self._names[1]):
            yield

    def remove(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """The calling thread is on the first host for the length of the `with` block."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("two hosts need network namespaces: root and iproute2")
    hosts = Hosts()
    try:
        try:
            hosts.make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this kernel gives us no network namespace: {error.stderr.decode().strip()}")
        with hosts.on_first():
            yield hosts
    finally:
        hosts.remove()


@contextmanager
def _inside(namespace: Path) -> Iterator[None]:
    """The calling thread, and what it starts, in a network namespace (`os.setns` only came with Python 3.12)."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    after = os.open(namespace, os.O_RDONLY)
    try:
        _setns(after)
        try:
            yield
        finally:
            _setns(before)
    finally:
        os.close(before)
        os.close(after)


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=120)
