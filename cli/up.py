"""`pneumoscreen up`: the whole service on one machine, from nothing, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from launcher import address, children, datadir, readiness, valkey
from launcher.supervisor import Supervisor

if TYPE_CHECKING:
    from launcher.admin import FirstAdmin

POLL_S = 0.1
READY_POLL_S = 0.3


def up(
    host: Annotated[
        str,
        typer.Option(envvar="PNEUMOSCREEN_WEB_HOST", help="Address to listen on; 0.0.0.0 lets other machines in."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(envvar="PNEUMOSCREEN_WEB_PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    ] = 8000,
    data_dir: Annotated[
        Path,
        typer.Option(envvar="PNEUMOSCREEN_DATA_DIR", help="Database, images, secrets and logs; made when missing."),
    ] = Path("data"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes; one a GPU, or one on a CPU.")] = 1,
) -> None:
    """Start everything on this machine: web pages, API, queue and workers.

    Needs nothing else installed: the database is a file in the data directory,
    the queue a small server that runs beside it. Prints `ready: URL` when images
    can be sent. Ctrl-C stops it all; starting again goes on where it stopped.

    Examples:

      pneumoscreen up

      pneumoscreen up --port 8080 --data-dir /srv/pneumoscreen --workers 2
    """
    os.umask(0o077)  # whatever any of the processes creates is for its owner alone
    stop = StopRequest()
    path = datadir.prepare(data_dir)
    with stop.installed(), datadir.locked(path, notify=_say) as lock_fd:
        port = address.reserve(host, port)
        _say(f"data directory: {path}")
        Launcher(path, host, port, workers, stop, lock_fd).run()


class StopRequest:
    """Set by Ctrl-C, SIGTERM or a closed terminal. A plain flag: an Event may deadlock in a signal handler."""

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals for as long as the context lasts."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Stopped(Exception):
    """Unwinds the launcher after a stop request; never leaves this module."""


class Launcher:
    """One run of the service."""

    def __init__(self, data_dir: Path, host: str, port: int, workers: int, stop: StopRequest, lock_fd: int) -> None:
        self.data_dir = data_dir
        self.host = host
        self.workers = workers
        self.stop = stop
        self.url = address.local_url(host, port)
        # Children hold the read end; the write end stays open as long as this process lives, and closes with it.
        self.lifeline_fd, self._lifeline_write_fd = os.pipe()
        self.supervisor = Supervisor(notify=_say, keep_fds=(self.lifeline_fd, lock_fd))
        self.env = children.environment(
            os.environ, data_dir=data_dir, lifeline_fd=self.lifeline_fd, web_host=host, web_port=str(port)
        )
        self.socket: Path | None = None

    def run(self) -> None:
        """Start, wait until a worker has its model, supervise until told to stop.

        Raises:
            ConfigurationError, ChildFailed: something cannot be started or keeps dying.
        """
        try:
            self._prepare_secrets()
            self._start_queue()
            admin = self._prepare_database()
            for spec in children.specs(self.env, self.data_dir, self.workers):
                self.supervisor.start(spec)
            _say("starting: web, sweeper, worker (loading the model)")
            self._wait_until_ready()
            self._greet(admin)
            while True:
                self._check()
                time.sleep(POLL_S)
        except Stopped:
            pass
        finally:
            self._shut_down()

    def _check(self) -> None:
        if self.stop:
            raise Stopped
        self.supervisor.check()

    def _prepare_secrets(self) -> None:
        if not children.configured(self.env, "SECRET_KEY"):
            path = self.data_dir / "secret-key"
            datadir.ensure_secret_key(path)
            self.env["PNEUMOSCREEN_SECRET_KEY_FILE"] = str(path)

    def _start_queue(self) -> None:
        if children.configured(self.env, "REDIS_URL"):
            _say("queue: the server of PNEUMOSCREEN_REDIS_URL")
            return
        server = valkey.find_server()
        self.socket = valkey.choose_socket(self.data_dir)
        self.env["PNEUMOSCREEN_REDIS_URL"] = valkey.url(self.socket)
        spec = valkey.spec(server, self.data_dir, self.socket, self.env)
        self.supervisor.start(spec)
        valkey.wait_until_up(self.socket, log_path=spec.log_path, check=self._check)
        _say(f"queue: {server.name} is up")

    def _prepare_database(self) -> FirstAdmin:
        from cli.database import explained, settle_store, take_over_models
        from core import settings
        from db import migrate
        from db.session import Database
        from launcher import admin

        ours = settings.load(self.env)
        url = ours.storage.database
        with explained(url):
            migrate.upgrade(url)
        _say("database: up to date")
        wrong = settle_store(ours)
        for sentence in [wrong] if wrong else take_over_models(ours):
            _say(sentence)
        database = Database(url)
        try:
            if not children.configured(self.env, "DATABASE_URL"):
                admin.forget_workers(database)
            return admin.ensure(database, self.data_dir)
        finally:
            database.dispose()

    def _wait_until_ready(self) -> None:
        progress = readiness.Progress(lambda line: _say(line, err=True))
        while not (seen := readiness.ask(self.url)).ready:
            self._check()
            progress.tell(seen, self.supervisor.running(), self.data_dir / "logs")
            time.sleep(READY_POLL_S)

    def _greet(self, admin: FirstAdmin) -> None:
        _say(f"ready: {self.url}")
        password = f": {admin.password}" if admin.password else ""
        _say(f"sign in as `admin`; the password is in {admin.password_path}{password}")
        _say(f"send images: pneumoscreen submit FOLDER --url {self.url}  (token: {admin.token_path})")
        if self.host not in address.LOOPBACK:
            _say("others can reach this address without encryption: put a TLS proxy in front for anything but a trial")
        _say("Ctrl-C stops it; starting again continues where it stopped")

    def _shut_down(self) -> None:
        asked = self.stop.count
        names = list(self.supervisor.children)
        if names:
            _say("stopping: web, sweeper, workers, queue (a worker finishes its batch first; Ctrl-C again: at once)")
        for group in (["web"], ["sweeper"], [name for name in names if name.startswith("worker")], ["valkey"]):
            self.supervisor.stop(group, hurry=lambda: self.stop.count > asked)
        if self.socket is not None:
            valkey.remove_socket(self.socket, self.data_dir)
        os.close(self._lifeline_write_fd)
        os.close(self.lifeline_fd)
        _say("stopped")


def _say(line: str, *, err: bool = False) -> None:
    with contextlib.suppress(OSError):  # a closed terminal or pipe must not take the service down
        typer.echo(line, err=err)
