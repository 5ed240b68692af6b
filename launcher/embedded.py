"""The whole service on one machine: what `pneumoscreen up` starts, watches and stops."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

from core import settings
from db.session import Database
from launcher import address, admin, children, datadir, readiness, valkey
from launcher.admin import FirstAdmin
from launcher.stop_request import StopRequest
from launcher.supervisor import Supervisor
from services import schema

POLL_S = 0.1
READY_POLL_S = 0.3


class Stopped(Exception):
    """Ends `run` after a stop request; never leaves this module."""


class Say(Protocol):
    """Tells the person who started the service one line; `err`: on the standard error output."""

    def __call__(self, line: str, *, err: bool = False) -> None: ...


class EmbeddedService:
    """One run of the service: its processes, in the order in which they start and stop."""

    def __init__(
        self, data_dir: Path, host: str, port: int, workers: int, *, stop: StopRequest, lock_fd: int, say: Say
    ) -> None:
        self.data_dir = data_dir
        self.host = host
        self.workers = workers
        self.stop = stop
        self.say = say
        self.url = address.local_url(host, port)
        # Children hold the read end; the write end stays open as long as this process lives, and closes with it.
        self.lifeline_fd, self._lifeline_write_fd = os.pipe()
        self.supervisor = Supervisor(notify=say, keep_fds=(self.lifeline_fd, lock_fd))
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
            self.say("starting: web, sweeper, worker (loading the model)")
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
            self.say("queue: the server of PNEUMOSCREEN_REDIS_URL")
            return
        server = valkey.find_server()
        self.socket = valkey.choose_socket(self.data_dir)
        self.env["PNEUMOSCREEN_REDIS_URL"] = valkey.url(self.socket)
        spec = valkey.spec(server, self.data_dir, self.socket, self.env)
        self.supervisor.start(spec)
        valkey.wait_until_up(self.socket, log_path=spec.log_path, check=self._check)
        self.say(f"queue: {server.name} is up")

    def _prepare_database(self) -> FirstAdmin:
        configured = settings.load(self.env)
        upgraded = schema.upgrade(configured)
        self.say("database: up to date")
        for problem in upgraded.problems:
            self.say(problem)
        database = Database(configured.storage.database)
        try:
            if not children.configured(self.env, "DATABASE_URL"):
                admin.forget_workers(database)
            return admin.ensure(database, self.data_dir)
        finally:
            database.dispose()

    def _wait_until_ready(self) -> None:
        progress = readiness.Progress(lambda line: self.say(line, err=True))
        while not (seen := readiness.ask(self.url)).ready:
            self._check()
            progress.tell(seen, self.supervisor.running(), self.data_dir / "logs")
            time.sleep(READY_POLL_S)

    def _greet(self, admin: FirstAdmin) -> None:
        self.say(f"ready: {self.url}")
        password = f": {admin.password}" if admin.password else ""
        self.say(f"sign in as `admin`; the password is in {admin.password_path}{password}")
        self.say(f"send images: pneumoscreen submit FOLDER --url {self.url}  (token: {admin.token_path})")
        if self.host not in address.LOOPBACK:
            self.say(
                "others can reach this address without encryption: put a TLS proxy in front for anything but a trial"
            )
        self.say("Ctrl-C stops it; starting again continues where it stopped")

    def _shut_down(self) -> None:
        asked = self.stop.count
        names = list(self.supervisor.children)
        if names:
            self.say(
                "stopping: web, sweeper, workers, queue (a worker finishes its batch first; Ctrl-C again: at once)"
            )
        for group in (["web"], ["sweeper"], [name for name in names if name.startswith("worker")], ["valkey"]):
            self.supervisor.stop(group, hurry=lambda: self.stop.count > asked)
        if self.socket is not None:
            valkey.remove_socket(self.socket, self.data_dir)
        os.close(self._lifeline_write_fd)
        os.close(self.lifeline_fd)
        self.say("stopped")
