"""The processes of an embedded service: their commands, environment, and the order in which they stop."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from launcher import lifeline
from launcher.supervisor import Spec

PREFIX = "PNEUMOSCREEN_"
WORKER_STOP_S = 30.0
"""A worker finishes its batch: seconds on a CPU."""
WEB_STOP_S = 15.0
SWEEPER_STOP_S = 10.0


def configured(environ: Mapping[str, str], name: str) -> bool:
    """Whether the operator set PNEUMOSCREEN_<name>, as a value or as a file."""
    return bool(environ.get(PREFIX + name) or environ.get(f"{PREFIX}{name}_FILE"))


def environment(environ: Mapping[str, str], *, data_dir: Path, lifeline_fd: int, **more: str) -> dict[str, str]:
    """What the children see: the operator's own variables, and ours where `more` names them (`web_port="8000"`)."""
    env = {name: value for name, value in environ.items() if name not in (PREFIX + "TOKEN", PREFIX + "URL")}
    env |= {f"{PREFIX}{name.upper()}": value for name, value in more.items()}
    env |= {PREFIX + "DATA_DIR": str(data_dir), lifeline.VARIABLE: str(lifeline_fd), "PYTHONUNBUFFERED": "1"}
    return env


def specs(env: Mapping[str, str], data_dir: Path, workers: int) -> list[Spec]:
    """Web, sweeper and `workers` workers: in the order they stop, so that nothing new comes in meanwhile."""

    def one(name: str, command: str, stop_timeout_s: float) -> Spec:
        argv = [sys.executable, "-m", "cli", command]
        return Spec(name, argv, env, data_dir / "logs" / f"{name}.log", stop_timeout_s)

    names = ["worker"] if workers == 1 else [f"worker-{number}" for number in range(1, workers + 1)]
    return [
        one("web", "web", WEB_STOP_S),
        one("sweeper", "sweeper", SWEEPER_STOP_S),
        *(one(name, "worker", WORKER_STOP_S) for name in names),
    ]
