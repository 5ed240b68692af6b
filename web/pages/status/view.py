"""The operator's page: what is wrong and what to do, then the figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import render_template
from werkzeug.exceptions import ServiceUnavailable

from db.backlog import Backlog
from web.dependencies import Dependencies, dependencies
from web.health.findings import pace
from web.health.service_health import Report
from web.pages.base import blueprint
from web.quantities import amount, duration

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@blueprint.get("/status")
def status() -> str:
    deps = dependencies()
    report = deps.health.report()
    rows = report.facts.rows
    if rows is None:
        raise ServiceUnavailable(report.findings[0].what)
    return render_template(
        "status/view.html",
        problems=report.findings,
        well=pace(rows),
        tiles=tiles(rows.backlog, rows.at),
        workers=rows.workers,
        parts=parts(deps, report),
        now=rows.at,
    )


def parts(deps: Dependencies, report: Report) -> Sequence[tuple[str, bool, str]]:
    """(name, whether it can be reached, what it is)."""
    facts = report.facts
    free = "" if facts.free_bytes is None else f", {facts.free_bytes / 1e9:,.1f} GB free"
    kind = "Object storage" if facts.settings.storage.storage_url else "Folder"
    return (
        ("Database", facts.rows is not None, DATABASES[deps.database.engine.dialect.name]),
        ("Broker", facts.broker, "Redis or Valkey: wakes the workers"),
        ("Image storage", facts.storage_error is None, kind + free),
    )


def tiles(backlog: Backlog, at: datetime) -> Sequence[tuple[str, str, str]]:
    """(icon, words, figure)."""
    oldest = backlog.oldest_queued_at
    return (
        ("queued", "Queued", amount(backlog.queued)),
        ("queued", "Oldest has waited", duration(at - oldest) if oldest else "–"),
        ("running", "Running", amount(backlog.running)),
        ("done", "Done in the last hour", amount(backlog.done_last_hour)),
        ("failed", "Failed in the last hour", amount(backlog.failed_last_hour)),
    )
