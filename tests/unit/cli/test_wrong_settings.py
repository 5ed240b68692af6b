"""A wrong setting ends each process with status 2 and one sentence, once: no traceback, no restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.paths import REPOSITORY

EVERY = ("web", "sweeper", "worker")
CASES = [
    *((process, {"DATABASE_URL": "db.example.org"}, "PNEUMOSCREEN_DATABASE_URL") for process in EVERY),
    *((process, {"DATABASE_URL": "postgresql://a:b@db:port/x"}, "PNEUMOSCREEN_DATABASE_URL") for process in EVERY),
    *((process, {"REDIS_URL": "broker:6379"}, "PNEUMOSCREEN_REDIS_URL") for process in EVERY),
    *((process, {"REDIS_URL": "redis://broker:port/0"}, "PNEUMOSCREEN_REDIS_URL") for process in EVERY),
    *((process, {"SECRET_KEY_FILE": "/nonexistent/key"}, "PNEUMOSCREEN_SECRET_KEY_FILE") for process in EVERY),
    ("web", {"SECRET_KEY": ""}, "PNEUMOSCREEN_SECRET_KEY"),
    ("worker", {"ENGINE": "torch-cuda"}, "finds no CUDA device"),
    ("worker", {"ENGINE": "abacus"}, "PNEUMOSCREEN_ENGINE"),
    ("db upgrade", {"MODELS_DIR": "models"}, "is not in models: put its checkpoint there"),
    ("db upgrade", {"DATABASE_URL": "postgresql://127.0.0.1:9/x?connect_timeout=2"}, "Cannot use the database"),
    ("up", {"DATABASE_URL": "postgresql://127.0.0.1:9/x?connect_timeout=2"}, "Cannot use the database"),
    ("up", {"ENGINE": "torch-cuda"}, "finds no CUDA device"),
]


@pytest.mark.parametrize(("process", "settings", "said"), CASES, ids=lambda value: str(value)[:60])
def test_it_is_said_once(process: str, settings: dict[str, str], said: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "active").write_text("0" * 64)
    given = {"DATA_DIR": "data", "SECRET_KEY": "a secret for the tests", "WEB_PORT": "0"} | settings
    if "SECRET_KEY_FILE" in given:
        del given["SECRET_KEY"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "cli", *process.split()]

    ended = subprocess.run(
        command, env=env | {f"PNEUMOSCREEN_{name}": value for name, value in given.items()},
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert ended.returncode == 2, ended.stderr
    sentences = [line for line in ended.stderr.splitlines() if line.startswith("pneumoscreen: ")]
    assert len(sentences) == 1, ended.stderr
    assert said in sentences[0]
    assert "Traceback" not in ended.stderr + ended.stdout
