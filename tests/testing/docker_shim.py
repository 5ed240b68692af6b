"""Stands for `docker` where there is no container engine: runs `docker compose run` and `exec` in built images.

What it is given is a line of docs/deployment.md as it is written, through a real shell with its redirections. The
variable DOCKER_SHIM names the file that tests/testing/compose.py wrote: how each service runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="docker")
    parser.add_argument("compose", choices=["compose"])
    parser.add_argument("verb", choices=["run", "exec"])
    for flag in ("--rm", "-T", "--no-deps"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-v", dest="volumes", action="append", default=[])
    parser.add_argument("service")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    service: dict[str, Any] = json.loads(Path(os.environ["DOCKER_SHIM"]).read_text())[given.service]
    for volume in given.volumes:
        source, target, _mode = volume.split(":")
        placed = Path(place(target, service["places"]))
        placed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, placed)
    return run(service, [place(word, service["places"]) for word in given.command])


def place(text: str, places: dict[str, str]) -> str:
    for prefix, folder in places.items():
        text = re.sub(rf"^{re.escape(prefix)}(?=/|$)", folder, text)
    return text


def run(service: dict[str, Any], command: list[str]) -> int:
    program = shutil.which(command[0], path=service["env"]["PATH"]) or command[0]
    identity = {"user": service["user"], "group": service["user"], "extra_groups": []} if service["user"] else {}
    return subprocess.run(
        [program, *command[1:]], env=service["env"], cwd=service["workdir"], check=False, **identity
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
