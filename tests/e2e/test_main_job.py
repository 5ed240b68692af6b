"""The main job as an archivist does it: start the service, submit a folder, read the table and the CSV."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.testing import factories
from tests.testing.paths import REPOSITORY
from tests.testing.service import Service, running

pytestmark = pytest.mark.e2e

GOOD = 12


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder of good images with every kind of trouble among them."""
    folder = tmp_path / "archive"
    (folder / "ward 3").mkdir(parents=True)
    for seed in range(GOOD):
        data = factories.jpeg(seed) if seed % 2 else factories.png(seed)
        (folder / "ward 3" / f"{seed}.{'jpg' if seed % 2 else 'png'}").write_bytes(data)
    (folder / "corrupt.jpg").write_bytes(factories.jpeg(99, size_px=(600, 500))[:4000])
    (folder / "text.png").write_text("no image at all")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "huge.png").write_bytes(factories.png_header(30_000, 30_000))
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w"):
        pass
    return folder


def pneumoscreen(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PNEUMOSCREEN_TOKEN": service.token, "PNEUMOSCREEN_URL": service.url}
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=500, check=False
    )


def read_csv(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {Path(row["filename"]).name: row for row in csv.DictReader(file)}


def test_good_images_are_screened_and_each_bad_file_has_its_own_error(
    service: Service, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.csv"
    nothing = str(tmp_path / "nothing.zip")

    run = pneumoscreen(service, "submit", str(archive), nothing, "--name", "mixed", "--csv", str(out))

    assert run.returncode == 3, run.stderr
    rows = read_csv(out)
    done = [row for row in rows.values() if row["state"] == "done"]
    assert len(done) == GOOD
    assert all(row["decision"] and 0 <= float(row["probability"]) <= 1 for row in done)
    errors = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert set(errors) == {"corrupt.jpg", "text.png", "empty.jpg", "huge.png", "nothing.zip"}
    assert len(set(errors.values())) == len(errors), "each trouble has a sentence of its own"
    assert "30000 x 30000" in errors["huge.png"]


def test_the_same_command_again_sends_nothing_and_tells_the_same(
    service: Service, archive: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    pneumoscreen(service, "submit", str(archive), "--name", "twice", "--csv", str(first))
    ((images,),) = service.sql("SELECT count(*) FROM images")

    run = pneumoscreen(service, "submit", str(archive), "--name", "twice", "--csv", str(second))

    assert run.returncode == 3
    assert service.sql("SELECT count(*) FROM images") == [(images,)]
    assert first.read_text() == second.read_text()


def test_screen_without_the_service_decides_the_same(service: Service, archive: Path, tmp_path: Path) -> None:
    served, alone = tmp_path / "served.csv", tmp_path / "alone.csv"
    folder = str(archive / "ward 3")

    assert pneumoscreen(service, "submit", folder, "--csv", str(served)).returncode == 0
    assert pneumoscreen(service, "screen", folder, "--csv", str(alone)).returncode == 0

    theirs, ours = read_csv(served), read_csv(alone)
    assert set(theirs) == set(ours)
    for name, row in theirs.items():
        assert ours[name]["decision"] == row["decision"]
        assert float(ours[name]["probability"]) == pytest.approx(float(row["probability"]), abs=1e-4)


def test_real_chest_x_rays_are_mostly_decided_right(service: Service, shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "real.csv"

    run = pneumoscreen(service, "submit", str(shared_data / "originals"), "--csv", str(out))

    assert run.returncode == 0, run.stderr
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["decision"] == Path(row["filename"]).parent.name.lower() for row in rows)
    assert len(rows) == 120
    assert right >= 96, f"{right} of 120"  # images of the training set: 80 % is a floor, not a claim


def test_nothing_of_a_name_or_a_token_is_in_the_logs(service: Service, archive: Path) -> None:
    pneumoscreen(service, "submit", str(archive), "--name", "SECRETNAME")

    logs = "".join(service.log(name) for name in ("web", "worker", "sweeper"))
    assert "batch" in logs
    for private in ("SECRETNAME", "ward 3", "corrupt.jpg", service.token):
        assert private not in logs


def test_health_needs_no_sign_in_and_everything_else_does(service: Service) -> None:
    with httpx.Client(base_url=service.url, trust_env=False) as stranger:
        answer = stranger.get("/readyz").json()
        assert (answer["ready"], answer["database"], answer["broker"], answer["workers"]) == (True, True, True, 1)
        assert "pneumoscreen_images_queued" in stranger.get("/metrics").text
        assert stranger.get("/api/v1/jobs").status_code == 401
        assert stranger.get("/history").headers["Location"].startswith("/login")
