"""The services of docker-compose.yml as processes of this machine, each in the image that its Dockerfile builds."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.testing import images
from tests.testing.docker_shim import place
from tests.testing.images import Image
from tests.testing.paths import REPOSITORY

SECRETS = "/run/secrets"
DATA = "/var/lib/pneumoscreen"


@dataclass(frozen=True)
class Service:
    """One service: its complete command and environment, in paths of this machine."""

    command: list[str]
    env: dict[str, str]
    places: dict[str, str]
    workdir: str
    user: int | None


class Host:
    """A host in `folder`: built images, secrets, volumes. `changes` are variables that a container has otherwise."""

    def __init__(self, folder: Path, changes: Mapping[str, str]) -> None:
        self.folder = folder
        self.data = folder / "volumes"
        self.secrets = folder / "run-secrets"
        self.services: dict[str, Service] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._compose: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
        built = {name: self._build(name) for name in ("web", "worker")}
        for name, service in self._compose["services"].items():
            if "build" in service:
                self.services[name] = self._service(built[Path(service["build"]["dockerfile"]).stem], service, changes)

    def add(self, name: str, service: Service) -> None:
        """A service whose image is not ours."""
        self.services[name] = service

    def compose_command(self, name: str) -> list[str]:
        """The command line of a service as Compose hands it to the engine."""
        words: list[str] = [str(word).replace("$$", "$") for word in self._compose["services"][name]["command"]]
        return words

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A service's own command, or another one in its container, to its end."""
        service = self.services[name]
        argv = [place(word, service.places) for word in command] or service.command
        program = shutil.which(argv[0], path=service.env["PATH"]) or argv[0]
        identity: Any = _identity(service)
        return subprocess.run(
            [program, *argv[1:]], env=service.env, cwd=service.workdir, check=False, capture_output=True, text=True,
            timeout=300, **identity,
        )  # fmt: skip

    def start(self, name: str) -> None:
        """Keep a service's own command running until `stop`; it writes to `out` and `err`."""
        service = self.services[name]
        program = shutil.which(service.command[0], path=service.env["PATH"])
        assert program is not None, f"{service.command[0]} is not in the image of {name}"
        identity: Any = _identity(service)
        with self.log(name, "out").open("wb") as out, self.log(name, "err").open("wb") as err:
            self._processes[name] = subprocess.Popen(
                [program, *service.command[1:]], env=service.env, cwd=service.workdir, stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, **identity,
            )  # fmt: skip

    def ended(self, name: str) -> bool:
        return self._processes[name].poll() is not None

    def stop(self, *names: str) -> dict[str, int]:
        """SIGTERM, as the engine does; the exit status of each."""
        stopping = {name: self._processes.pop(name) for name in names or tuple(self._processes)}
        for process in stopping.values():
            process.terminate()
        return {name: process.wait(timeout=60) for name, process in stopping.items()}

    def log(self, name: str, stream: str) -> Path:
        return self.folder / f"{name}.{stream}"

    def shell(self, line: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A line as an operator types it, in the folder of the checkout; `docker` is `docker_shim.py` there."""
        described = self.folder / "services.json"
        described.write_text(json.dumps({name: asdict(service) for name, service in self.services.items()}))
        shim = self.folder / "bin" / "docker"
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {REPOSITORY}/tests/testing/docker_shim.py "$@"\n'
        )
        shim.chmod(0o755)
        env = {"PATH": f"{shim.parent}:{images.SYSTEM_PATH}", "DOCKER_SHIM": str(described), "HOME": "/tmp"}
        return subprocess.run(
            ["/bin/sh", "-c", line], cwd=self.checkout, env=env, input=given, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

    @property
    def checkout(self) -> Path:
        """Where an operator stands: the folder with docker-compose.yml."""
        folder = self.folder / "checkout"
        if not folder.exists():
            shutil.copytree(REPOSITORY / "docker", folder / "docker")
        return folder

    def empty_volumes(self) -> None:
        for volume in self.data.iterdir():
            for entry in volume.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _build(self, name: str) -> Image:
        own = self.folder / name
        places = {"/opt": own / "opt", "/src": own / "src", DATA: self.data, SECRETS: self.secrets}
        for folder in places.values():
            folder.mkdir(parents=True, exist_ok=True)
        image = images.build(REPOSITORY / "docker" / f"{name}.Dockerfile", places)
        for volume in (self.data, self.data / "blobs", self.data / "models"):
            volume.mkdir(exist_ok=True)
            volume.chmod(0o750)
            if image.user is not None:
                os.chown(volume, image.user, image.user)
        image.places["/import"] = self.folder / "import"
        return image

    def _service(self, image: Image, service: Mapping[str, Any], changes: Mapping[str, str]) -> Service:
        plain = {n: _default(str(value)) for n, value in service["environment"].items()}
        known = {name: value for name, value in changes.items() if name in plain}
        env = image.environment(plain | known)
        command = [image.place(str(word)) for word in service["command"]]
        places = {prefix: str(folder) for prefix, folder in image.places.items()}
        return Service(command, env, places, image.workdir, image.user)


@contextmanager
def host(folder: Path, changes: Mapping[str, str]) -> Iterator[Host]:
    """A host whose processes are stopped at the end."""
    made = Host(folder, changes)
    try:
        yield made
    finally:
        made.stop()


def _default(value: str) -> str:
    """`${NAME:-default}` as Compose reads it where nobody set NAME."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def _identity(service: Service) -> dict[str, Any]:
    return {} if service.user is None else {"user": service.user, "group": service.user, "extra_groups": []}
