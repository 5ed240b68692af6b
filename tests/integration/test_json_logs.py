"""With PNEUMOSCREEN_LOG_FORMAT=json each line that a process writes is JSON, from its start to its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.testing.polling import wait_until

pytestmark = pytest.mark.integration


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Without a broker: what Celery says of one that is away is a line, too."""
    ours = {
        "PNEUMOSCREEN_DATA_DIR": str(data_dir),
        "PNEUMOSCREEN_SECRET_KEY": "0123456789abcdef0123",
        "PNEUMOSCREEN_REDIS_URL": f"redis+socket://{data_dir}/no-broker.sock",
        "PNEUMOSCREEN_WEB_PORT": "0",
        "PNEUMOSCREEN_LOG_FORMAT": "json",
    }
    return {**os.environ, **ours, **more}


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("command", "ready"), [("web", "Booting worker"), ("sweeper", "sweeper_ready"), ("worker", "worker_ready")]
)
def test_every_line_of_a_process_is_json(tmp_path: Path, migrated_sqlite: Path, command: str, ready: str) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "pneumoscreen.db")
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", command], env=environment(tmp_path), stdout=file, stderr=file
        )
    try:
        wait_until(lambda: ready in log.read_text() or process.poll() is not None, timeout_s=300)
        process.send_signal(signal.SIGTERM)
        process.wait(300)
    finally:
        process.kill()
    lines = parsed(log.read_text())
    assert any(ready in line["event"] for line in lines)
    assert {line["process"] for line in lines} == {command}
    if command == "worker":
        assert len({line["worker"] for line in lines}) == 1


def test_a_wrong_setting_is_a_line_too(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "cli", "web"],
        env=environment(tmp_path, PNEUMOSCREEN_SECRET_KEY="short"),
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = parsed(process.stderr)
    assert (process.returncode, line["event"]) == (2, "command_failed")
    assert "PNEUMOSCREEN_SECRET_KEY" in line["error"]
