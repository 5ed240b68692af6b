"""A peer's server on a free port of this machine, for the length of a `with` block."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks import cpu
from benchmarks.client import Client, Refused, Request
from benchmarks.peers import environment
from benchmarks.peers.catalogue import QUIET, Peer, Tuning
from tests.testing.paths import REPOSITORY
from tests.testing.ports import free_port

START_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 20.0


class PeerFailed(Exception):
    """It did not start, or went away; the message ends with its log."""


@contextmanager
def serving(peer: Peer, tuning: Tuning, probe: Request, build: Path) -> Iterator[Client]:
    """A client of the peer, once it has answered `probe`.

    Raises:
        CannotInstall, PeerFailed: there is no such server to be had.
    """
    python = environment.prepare(peer.environment_of, build) if peer.environment_of else Path(sys.executable)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pns-peer-") as name:
        log = Path(name) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                peer.command(python, port),
                cwd=REPOSITORY,
                env=_environment(tuning, port, Path(name)),
                stdout=output,
                stderr=output,
            )
        try:
            client = Client(f"http://127.0.0.1:{port}")
            _wait_until_it_answers(peer, client, probe, process, log)
            yield client
        finally:
            _stop(process)


def _environment(tuning: Tuning, port: int, directory: Path) -> dict[str, str]:
    """Each worker's share of the cores, as their documentation asks for; files of theirs in `directory`."""
    threads = max(1, cpu.cores() // tuning.workers)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PNEUMOSCREEN_")}
    return plain | QUIET | {
        "PYTHONPATH": str(REPOSITORY),
        "PEER_PORT": str(port),
        "PEER_WORKERS": str(tuning.workers),
        "OMP_NUM_THREADS": str(threads),
        "BENTOML_HOME": str(directory / "bentoml"),
        "RAY_TMPDIR": str(directory),
    }  # fmt: skip


def _wait_until_it_answers(
    peer: Peer, client: Client, probe: Request, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            peer.probability(client.send(probe).body)
            return
        except (OSError, http.client.HTTPException, Refused, ValueError, KeyError) as error:
            if process.poll() is None and time.monotonic() < deadline_s:
                time.sleep(0.2)
                continue
            text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise PeerFailed(f"{peer.words} does not answer ({error!r}). The end of its log:\n{text}") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    """It and all that it started, those included that it does not stop itself."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=STOP_TIMEOUT_S)
    _, left = psutil.wait_procs(family, timeout=5)
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=5)
    process.wait(timeout=STOP_TIMEOUT_S)
