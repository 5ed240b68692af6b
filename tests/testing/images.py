"""An image without a container engine: the lines of its Dockerfile, run in a folder that stands for its root.

What these lines install is all that the image's processes find, so a package that they forget is missing here too.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.testing.dockerfile import Instructions, final_stage, parse
from tests.testing.paths import REPOSITORY

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

DURATION_ONLY = {"UV_NO_CACHE", "UV_LINK_MODE", "UV_COMPILE_BYTECODE"}
"""Variables of the Dockerfiles that decide how long an installation takes, and not what is installed."""

CHANGES_THE_SYSTEM = ("update-ca-certificates", "pip install --no-cache-dir uv==", "useradd ")
"""RUN lines that begin so are left out: they would change this machine. The uv of our own .venv is used, which is the
same version (tests/unit/packaging/test_dockerfiles.py).
"""


@dataclass
class Image:
    """A built image: which folders stand for its own, and how its processes run.

    `user` is the number of its user where this machine lets us become it, else None.
    """

    places: dict[str, Path]
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: int | None = None

    def place(self, text: str) -> str:
        """`text` with each path of the container replaced by the one that stands for it."""
        for prefix, folder in self.places.items():
            text = re.sub(rf"(?<![\w./}}-]){re.escape(prefix)}(?=[/\s\"':;]|$)", str(folder), text)
        return text

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The image's own variables and `more`: nothing of this machine's environment."""
        return {"HOME": "/tmp", "LANG": "C.UTF-8"} | {n: self.place(v) for n, v in (self.env | dict(more)).items()}


def build(dockerfile: Path, places: Mapping[str, Path]) -> Image:
    """Do what the Dockerfile says, in the folders `places` (of `/opt`, `/src`, `/var/lib/pneumoscreen`).

    Raises:
        CalledProcessError: one of its RUN lines fails.
    """
    instructions = parse(dockerfile.read_text())
    final = final_stage(instructions)
    building = Image(dict(places), {"PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}"})
    _follow(instructions[: -len(final)], building, _installing_environment())
    image = Image(dict(places), {"PATH": SYSTEM_PATH}, user=_user(final))
    _follow(final, image, {})
    return image


def _follow(instructions: Instructions, image: Image, around: Mapping[str, str]) -> None:
    """One stage; `around` is what its RUN lines see of this machine's environment."""
    for name, rest in instructions:
        match name:
            case "ENV":
                pairs = dict(word.split("=", 1) for word in shlex.split(rest))
                for variable in pairs.keys() - DURATION_ONLY:
                    image.env[variable] = string.Template(pairs[variable]).safe_substitute(image.env)
            case "ARG":
                variable, _, default = rest.partition("=")
                image.env[variable] = default
            case "WORKDIR":
                image.workdir = image.place(rest)
                Path(image.workdir).mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(rest, image)
            case "RUN" if not rest.startswith(CHANGES_THE_SYSTEM):
                env = dict(around) | {n: image.place(v) for n, v in image.env.items()}
                run = subprocess.run(
                    ["/bin/sh", "-c", image.place(rest)], cwd=image.workdir, env=env, capture_output=True, text=True
                )
                assert run.returncode == 0, f"RUN {rest}\n{run.stdout}{run.stderr}"


def _copy(rest: str, image: Image) -> None:
    *sources, target = shlex.split(rest)
    if sources[0].startswith("--from="):
        # Both stages share their folders here, so it is there already.
        assert Path(image.place(sources[1])).exists(), rest
        return
    if not any(target.startswith(prefix) for prefix in image.places) and target.startswith("/"):
        return  # into the system: a site's certificates
    for source in sources:
        destination = Path(image.workdir, image.place(target), Path(source).name if target.endswith("/") else "")
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / source, destination)


def _installing_environment() -> dict[str, str]:
    """This machine's, which may name a proxy, an index and its certificates, without what is of our own .venv."""
    ours = ("PNEUMOSCREEN_", "PYTHON", "VIRTUAL_ENV", "COVERAGE", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _user(final: Instructions) -> int | None:
    """The number in the USER line, if we may become that user and it can run this Python."""
    number = int(dict(final)["USER"].partition(":")[0])
    base = str(getattr(sys, "_base_executable", sys.executable))
    try:
        can = subprocess.run([base, "-c", ""], user=number, group=number, extra_groups=[], cwd="/", check=False)
    except PermissionError:
        return None
    return number if can.returncode == 0 else None
