"""What runs without a network must not load one: torch takes seconds and hundreds of megabytes."""

from __future__ import annotations

import subprocess
import sys

from tests.testing.paths import REPOSITORY

LIGHT = (
    "core.errors", "core.logs", "imaging.media", "core.queue", "core.csv_lines", "core.settings", "storage.local",
    "db.jobs", "db.migrate", "db.tables", "db.listing.images", "db.session", "db.accounts.users", "db.workers",
    "web.app", "worker.sweeper", "cli.main", "cli.submit",
)  # fmt: skip


def test_no_process_but_the_worker_loads_torch() -> None:
    assert loaded(*LIGHT) == ""


def test_the_application_needs_neither_the_web_framework_nor_the_queue() -> None:
    modules = sorted(f"services.{path.stem}" for path in (REPOSITORY / "services").glob("*.py"))
    assert "services.ingest" in modules
    assert loaded(*modules, unwanted=("flask", "werkzeug", "celery", "kombu", "redis", "torch")) == ""


def test_the_command_line_starts_without_the_web_framework_and_the_database() -> None:
    assert loaded("cli.main", unwanted=("flask", "sqlalchemy", "celery", "numpy")) == ""


def loaded(*modules: str, unwanted: tuple[str, ...] = ("torch", "torchvision")) -> str:
    """Which of `unwanted` a fresh Python has loaded after importing `modules`."""
    code = f"import sys, {', '.join(modules)}; print(*sorted(set({unwanted!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()
