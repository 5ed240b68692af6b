"""docker/make-secrets.sh writes what docker-compose.yml and the settings read."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from core.settings import load


@pytest.fixture
def secrets(root: Path, tmp_path: Path) -> Path:
    subprocess.run([root / "docker/make-secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_writes_every_secret_of_the_compose_file(secrets: Path, compose: dict[str, Any]) -> None:
    wanted = {Path(secret["file"]).name for secret in compose["secrets"].values()}

    assert {path.name for path in secrets.iterdir()} == wanted


def test_settings_read_them(secrets: Path) -> None:
    names = ("database_url", "redis_url", "secret_key")
    settings = load({f"PNEUMOSCREEN_{name.upper()}_FILE": str(secrets / name) for name in names})

    url = make_url(settings.storage.database)
    assert (url.host, url.username, url.database) == ("postgres", "pneumoscreen", "pneumoscreen")
    assert url.password == (secrets / "postgres_password").read_text()
    assert settings.queue.redis == f"redis://:{(secrets / 'valkey_password').read_text()}@valkey:6379/0"
    assert len(settings.security.secret_key.get_secret_value()) == 64


def test_no_two_secrets_are_the_same(secrets: Path) -> None:
    values = [(secrets / name).read_text() for name in ("postgres_password", "valkey_password", "secret_key")]

    assert len(set(values)) == 3


def test_only_the_owner_may_enter_the_folder(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_never_overwrites(secrets: Path, root: Path) -> None:
    before = (secrets / "database_url").read_text()

    again = subprocess.run([root / "docker/make-secrets.sh", secrets], capture_output=True, text=True, check=False)

    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert (secrets / "database_url").read_text() == before
