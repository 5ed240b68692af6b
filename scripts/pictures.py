"""Makes the pictures of the README anew: `make pictures`. The radiographs are drawn, the scores made up."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
import numpy as np
from PIL import Image as Picture
from playwright.sync_api import Page, sync_playwright
from pydantic import SecretStr
from werkzeug.datastructures import FileStorage
from werkzeug.serving import make_server

from core.queue import make_celery
from core.settings import Limits, Security, Settings, Storage
from db import claims, heartbeats, migrate, outcomes, stores, workers
from db.accounts import users
from db.session import Database, now
from db.states import Decision, Role
from imaging import cam
from model import registry
from scripts import drawn_radiograph
from storage.open import open_store
from web.app import create_app
from web.backends import Backends

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
NAME, PASSWORD = "dr.okafor", "made up for a picture"
WORKER = "gpu-1:4711:9f3a"
URGENT, SENT, RUNNING = 6, 40, 8
ILL = 3
"""One radiograph in so many has a shadow."""
WIDTH_PX = 1280
HEIGHTS_PX = {"home": 960, "job": 900, "image": 1300}
PATHS = {"home": "/", "job": "/jobs/2", "image": f"/images/{1 + ILL}"}


@contextmanager
def service(directory: Path) -> Iterator[Backends]:
    """A service of its own in `directory`, with a worker that does nothing by itself."""
    settings = Settings(
        storage=Storage(data_dir=directory),
        security=Security(secret_key=SecretStr("a secret for the pictures")),
        limits=Limits(min_free_disk_bytes=0),
    )
    migrate.upgrade(settings.storage.database)
    database = Database(settings.storage.database)
    store = open_store(settings)
    stores.settle(database, store)
    celery = make_celery(settings, broker_url="memory://")
    yield Backends(settings, database, store, celery, fakeredis.FakeRedis())
    database.dispose()


def fill(ours: Backends) -> None:
    """A finished job, and one in the middle."""
    with ours.database.begin() as session:
        at = now(session)
        token = users.create_token(
            session, users.add_user(session, name=NAME, role=Role.ADMIN, password=PASSWORD, now=at), now=at
        )
        entry = registry.shipped()
        card = entry.card.model_dump(mode="json")
        workers.register_model(session, sha256=entry.sha256, name=entry.name, card=card, now=at)
    beat(ours)
    client = create_app(ours.settings, ours).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    radiographs = [drawn_radiograph.jpeg(seed, opacity=0.9 * (seed % ILL == 0)) for seed in range(URGENT)]
    for name, priority, count, done in (
        ("Emergency, Monday", "interactive", URGENT, URGENT),
        ("Archive 2019", "bulk", SENT, SENT // 2),
    ):
        job = client.post("/api/v1/jobs", json={"name": name, "priority": priority}).get_json()
        files = [FileStorage(io.BytesIO(radiographs[n % URGENT]), f"CXR_2019-10-14_{n:04d}.jpg") for n in range(count)]
        answer = client.post(f"/api/v1/jobs/{job['id']}/images", data={"files": files})
        if answer.status_code != 201:
            raise RuntimeError(answer.get_data(as_text=True))
        screen(ours, done)
    with ours.database.begin() as session:
        claims.claim(session, worker=WORKER, limit=RUNNING, lease_s=600, now=now(session))


def beat(ours: Backends) -> None:
    """Let the worker look alive."""
    with ours.database.begin() as session:
        sha256 = registry.shipped().sha256
        workers.register(session, name=WORKER, engine="torch-cuda", model_sha256=sha256, now=now(session))
        heartbeats.beat(session, heartbeats.SWEEPER, now(session))


def screen(ours: Backends, count: int) -> None:
    """Give the next `count` images a made-up score; of some it says that they cannot be read."""
    entry = registry.shipped()
    threshold = entry.card.operating_point.threshold
    chance = np.random.default_rng(count)
    with ours.database.begin() as session:
        at = now(session)
        scored = []
        for n, claim in enumerate(claims.claim(session, worker=WORKER, limit=count, lease_s=600, now=at)):
            ill = n % ILL == 0
            probability = float(chance.uniform(0.78, 0.97) if ill else chance.uniform(0.01, 0.3))
            decision = Decision.PNEUMONIA if ill else Decision.NORMAL
            scored.append(outcomes.Scored(claim, probability, decision, float(chance.uniform(0.1, 0.5)), None, heat()))
        outcomes.finish(
            session, scored, model_sha256=entry.sha256, threshold=threshold, ood_limit=1.0, worker=WORKER, now=at
        )


def heat() -> bytes:
    """A map whose warm places are where the shadow is drawn."""
    y, x = np.mgrid[-1:1:7j, -1:1:7j]
    return cam.pack((7 * np.exp(-(((x - 0.4) / 0.3) ** 2) - ((y - 0.25) / 0.3) ** 2) - 2).astype(np.float16))


def take(page: Page, name: str) -> None:
    page.set_viewport_size({"width": WIDTH_PX, "height": HEIGHTS_PX[name]})
    page.goto(PATHS[name])
    if name == "image":
        page.get_by_label("Show where the model saw signs").check()
    page.evaluate("document.activeElement.blur()")
    page.wait_for_load_state("networkidle")
    Picture.open(io.BytesIO(page.screenshot())).convert("RGB").save(FOLDER / f"{name}.png", optimize=True)


def main() -> None:
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_path is None:
        raise SystemExit("no Chromium on PATH: install one to take the pictures")
    with tempfile.TemporaryDirectory(prefix="pns-") as name, service(Path(name)) as ours:
        fill(ours)
        server = make_server("127.0.0.1", 0, create_app(ours.settings, ours), threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(base_url=f"http://127.0.0.1:{server.server_port}", color_scheme="light")
            page.goto("/login")
            page.get_by_label("Name").fill(NAME)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/")
            for picture in PATHS:
                beat(ours)
                take(page, picture)
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
