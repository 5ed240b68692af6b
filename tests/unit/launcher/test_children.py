"""What the child processes are and see."""

from __future__ import annotations

import sys
from pathlib import Path

from launcher import children


def test_names_and_the_order_of_stopping(tmp_path: Path) -> None:
    specs = children.specs({}, tmp_path, workers=2)

    assert [spec.name for spec in specs] == ["web", "sweeper", "worker-1", "worker-2"]
    assert [spec.name for spec in children.specs({}, tmp_path, workers=1)] == ["web", "sweeper", "worker"]
    assert specs[0].argv == [sys.executable, "-m", "cli", "web"]
    assert specs[3].argv == [sys.executable, "-m", "cli", "worker"]
    assert specs[3].log_path == tmp_path / "logs" / "worker-2.log"


def test_the_operators_settings_are_kept(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "PNEUMOSCREEN_BATCH_SIZE": "4", "PNEUMOSCREEN_DATA_DIR": "elsewhere"}

    env = children.environment(environ, data_dir=tmp_path, lifeline_fd=5, web_port="8001")

    assert env == {
        "PATH": "/bin",
        "PNEUMOSCREEN_BATCH_SIZE": "4",
        "PNEUMOSCREEN_DATA_DIR": str(tmp_path),
        "PNEUMOSCREEN_WEB_PORT": "8001",
        "PNEUMOSCREEN_LIFELINE_FD": "5",
        "PYTHONUNBUFFERED": "1",
    }


def test_the_operators_own_token_stays_with_the_operator(tmp_path: Path) -> None:
    environ = {"PNEUMOSCREEN_TOKEN": "pns_x", "PNEUMOSCREEN_URL": "http://h"}

    env = children.environment(environ, data_dir=tmp_path, lifeline_fd=5)

    assert not {"PNEUMOSCREEN_TOKEN", "PNEUMOSCREEN_URL"} & set(env)


def test_configured() -> None:
    assert children.configured({"PNEUMOSCREEN_REDIS_URL": "redis://h"}, "REDIS_URL")
    assert children.configured({"PNEUMOSCREEN_REDIS_URL_FILE": "/run/secrets/r"}, "REDIS_URL")
    assert not children.configured({"PNEUMOSCREEN_REDIS_URL": ""}, "REDIS_URL")
