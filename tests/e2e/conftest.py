"""A real Chromium before the application with fakes, and jobs to look at."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from db import claims, jobs, outcomes, workers
from db.session import now
from db.states import Decision, Priority
from imaging import cam
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.testing.absent import absent
from tests.testing.fakes import FAKE_SHA256
from web.backends import Backends

MAP = cam.pack(np.array([[4.0 if (x, y) == (5, 4) else -2.0 for x in range(7)] for y in range(7)], np.float16))
LONG = "export_" + "very-long-" * 12 + "name.png"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PATIENCE_MS = 60_000
"""For what a page is waited for to show: a busy machine is slow, and no test measures how fast a page is."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        absent("no Chromium on PATH: install one to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def url(app: Flask, token: str) -> Iterator[str]:
    """The application, served; the user `ada` exists."""
    app.testing = False
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def new_context(chromium: Browser, url: str, **options: Any) -> BrowserContext:
    context = chromium.new_context(base_url=url, **options)
    context.set_default_timeout(PATIENCE_MS)
    return context


def sign_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Screen chest X-rays")
    page.wait_for_load_state("load")  # its scripts have run; before that a form is sent the way of a page without


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """Signed in; a complaint of the browser (a script's error, a blocked resource) fails the test."""
    context = new_context(chromium, url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type == "error" and "Failed to load" not in m.text else None
    )
    sign_in(page)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three radiographs and a text file."""
    paths = [tmp_path / name for name in ("a.png", LONG, "c.png", "note.txt")]
    for seed, path in enumerate(paths):
        path.write_bytes(factories.png(seed) if path.suffix == ".png" else b"just text")
    return paths


def screen(backends: Backends, count: int, probability: float = 0.9, reason: str | None = None) -> None:
    """What a worker does to the next `count` images; with a reason it refuses them."""
    with backends.database.begin() as session:
        at = now(session)
        held = claims.claim(session, worker="w", limit=count, lease_s=60, now=at)
        decision = Decision.PNEUMONIA if probability >= 0.5 else Decision.NORMAL
        decision = Decision.REFUSED if reason else decision
        scored = [outcomes.Scored(claim, probability, decision, 2.5 if reason else 0.1, reason, MAP) for claim in held]
        outcomes.finish(session, scored, model_sha256=FAKE_SHA256, threshold=0.5, ood_limit=1.0, worker="w", now=at)


def add_job(backends: Backends, count: int = 4) -> None:
    """A job of `ada` with long names, half of it screened, and a worker."""
    with backends.database.begin() as session:
        workers.register(session, name="gpu-1:4711:9f3a", engine="fake", model_sha256=FAKE_SHA256, now=now(session))
        made, _ = jobs.create(session, user_id=1, name=LONG, priority=Priority.BULK, client_key=None, now=now(session))
        factories.images(session, made, count, prefix=LONG)
    screen(backends, count // 2)


def add_refused_job(backends: Backends) -> None:
    """`add_job`, and the third image refused."""
    add_job(backends)
    screen(backends, 1, reason="The image is too unlike the frontal chest X-rays the model was made from.")
