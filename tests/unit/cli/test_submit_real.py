"""`submit` against the real web application over HTTP, with a worker in the same process: both keep the contract."""

from __future__ import annotations

import csv
import logging
import os
import zipfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask

from client.http import Client
from client.unchanged import UnchangedFile
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.cli.conftest import Invoke
from tests.unit.cli.fake_service import serving
from web.backends import Backends


@pytest.fixture
def url(app: Flask, eager: Backends) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    assert eager.settings.worker.batch_size == 4
    with serving(app) as url:
        yield url


def test_everything_at_once(invoke: Invoke, url: str, token: str, folder: Path, tmp_path: Path) -> None:
    (folder / "bright.png").write_bytes(factories.png(7, brightness=0.8))
    (folder / "cut.png").write_bytes(factories.png(8)[:600])
    (folder / "letter.png").write_bytes(b"%PDF-1.7")
    (folder / os.fsdecode(b"r\xf6ntgen.png")).write_bytes(factories.png(9))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("ward/1.png", factories.png(20))

    result = invoke(
        "submit", folder, tmp_path / "more.zip", "--url", url, "--token", token, "--csv", tmp_path / "o.csv"
    )

    assert result.exit_code == 3
    assert (
        "  pneumonia          1\n  normal             7\n  failed             1\n  rejected           1\n"
        in result.stdout
    )
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    assert rows["archive/bright.png"]["decision"] == "pneumonia"
    assert rows["archive/bright.png"]["model"] == f"fake-brightness@{FAKE_SHA256[:12]}"
    assert rows["archive/cut.png"]["state"] == "failed"
    assert rows["archive/letter.png"]["state"] == "rejected"
    assert rows["more.zip/ward/1.png"]["state"] == "done"
    assert len(rows) == 10


def test_the_same_command_again(invoke: Invoke, url: str, token: str, folder: Path) -> None:
    first = invoke("submit", folder, "--url", url, "--token", token)
    second = invoke("submit", folder, "--url", url, "--token", token)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "5 files:\n  normal             5\n" in first.stdout
    assert "5 files:\n  normal             5\n" in second.stdout
    assert f"Job 1: {url}/jobs/1" in second.stdout
    assert "Sent 0 files (5 were there already)" in second.stderr


def test_odd_names_and_a_repaired_file(invoke: Invoke, url: str, token: str, app: Flask, tmp_path: Path) -> None:
    names = [
        " spaced .png ",
        "bell\x07.png",
        'quote".png',
        "50%22.png",
        "line\nbreak.png",
        "\u202e.png",
        "x" * 200 + ".png",
    ]
    folder = tmp_path / "archive"
    folder.mkdir()
    for seed, name in enumerate(names):
        (folder / name).write_bytes(factories.png(seed))
    (folder / "b.png").write_bytes(factories.png(50)[:600])
    command = ("submit", folder, "--url", url, "--token", token, "--csv", tmp_path / "o.csv")
    assert invoke(*command).exit_code == 3

    (folder / "b.png").write_bytes(factories.png(50))
    result = invoke(*command)

    assert result.exit_code == 0
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(row["filename"] for row in csv.DictReader(file)) == sorted([*names, "b.png"])
    job = app.test_client().get("/api/v1/jobs/1", headers={"Authorization": f"Bearer {token}"}).get_json()
    assert job["total"] == len(names) + 2, "the two versions of b.png, and nothing twice"


def state_of(app: Flask, token: str, *path: str) -> dict[str, Any]:
    """Job 1, or what lies below it, as the API tells it."""
    address = "/".join(("/api/v1/jobs/1", *path))
    body = app.test_client().get(address, headers={"Authorization": f"Bearer {token}"}).get_json()
    return cast(dict[str, Any], body)


def test_a_job_is_incomplete_until_the_command_was_let_run_to_its_end(
    invoke: Invoke, url: str, token: str, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "aa-letter.png").write_bytes(b"%PDF-1.7")
    (folder / "huge.png").write_bytes(factories.png_header(60_000, 60_000))
    command = ("submit", folder, "--url", url, "--token", token, "--concurrency", "1")
    monkeypatch.setattr("client.upload.MAX_FILES", 1)
    monkeypatch.setattr("db.arrival.SILENT_FOR", timedelta(0))
    send = Client.send
    sent: list[object] = []

    def send_twice(client: Client, job_id: int, files: Sequence[tuple[str, UnchangedFile]]) -> list[dict[str, Any]]:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(files)
        return send(client, job_id, files)

    monkeypatch.setattr(Client, "send", send_twice)
    assert invoke(*command).exit_code == 130
    job = state_of(app, token)
    assert (job["state"], job["total"], job["expected_images"]) == ("incomplete", 2, 7)

    monkeypatch.setattr(Client, "send", send)
    assert invoke(*command).exit_code == 3
    assert invoke(*command).exit_code == 3

    job = state_of(app, token)
    assert (job["state"], job["total"], job["expected_images"], job["rejected"]) == ("done", 5, 7, 2)
    listed = [item["filename"] for item in state_of(app, token, "rejected")["items"]]
    assert sorted(listed) == ["aa-letter.png", "huge.png"]


def test_a_file_that_vanished_leaves_no_job_incomplete(
    invoke: Invoke, url: str, token: str, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.sources.Sources.count", lambda _: 9)

    assert invoke("submit", folder, "--url", url, "--token", token).exit_code == 0

    job = state_of(app, token)
    assert (job["state"], job["total"], job["expected_images"]) == ("done", 5, 5)


def test_a_wrong_token(invoke: Invoke, url: str, folder: Path) -> None:
    result = invoke("submit", folder, "--url", url, "--token", "pns_wrong")

    assert result.exit_code == 2
    assert "refused the token" in result.stderr


def test_a_cancelled_job(invoke: Invoke, url: str, token: str, folder: Path, app: Flask) -> None:
    assert invoke("submit", folder, "--url", url, "--token", token).exit_code == 0
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().post("/api/v1/jobs/1/cancel", headers=headers).status_code == 200

    result = invoke("submit", folder, "--url", url, "--token", token)

    assert result.exit_code == 1
    assert "Job 1 was cancelled; retry it first, or start a new one" in result.stderr
