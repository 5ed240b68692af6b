"""What machines ask: is the process alive, can it work, and figures to plot. No sign-in, no data of patients."""

from __future__ import annotations

import contextlib

import redis
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from core.queue import depth
from web.dependencies import dependencies
from web.health.codes import Code
from web.health.facts import Rows
from web.health.service_health import Report

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """200 while this process answers. No other part of the service is asked."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """200 while uploads are accepted, else 503. `problems` has the codes of all findings, warnings too."""
    report = dependencies().health.report()
    rows = report.facts.rows
    body = {
        "ready": report.ready,
        "database": rows is not None,
        "broker": report.facts.broker,
        "workers": len(rows.alive) if rows else 0,
        "problems": [finding.code for finding in report.findings],
    }
    return jsonify(body), 200 if report.ready else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures for Prometheus, the same from every web process. Those of the database are left out while it is down."""
    deps = dependencies()
    report = deps.health.report()
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, value: float) -> None:
        Gauge(f"pneumoscreen_{name}", help_text, registry=registry).set(value)

    for name, (help_text, value) in _figures(report, deps.broker).items():
        gauge(name, help_text, value)
    problems = Gauge("pneumoscreen_problem", "1 while something is wrong.", ["code"], registry=registry)
    codes = {finding.code for finding in report.findings}
    for code in Code:
        problems.labels(code=code.value).set(code in codes)
    return Response(generate_latest(registry), mimetype=CONTENT_TYPE_LATEST)


def _figures(report: Report, broker: redis.Redis) -> dict[str, tuple[str, float]]:
    """(help text, value) by name."""
    facts = report.facts
    figures: dict[str, tuple[str, float]] = {
        "ready": ("1 while images are taken.", report.ready),
        "broker_up": ("1 if the broker takes messages.", facts.broker),
    }
    if facts.rows is not None:
        figures |= _figures_of_rows(facts.rows)
    if facts.free_bytes is not None:
        figures["disk_free_bytes"] = ("Free space of the image storage.", facts.free_bytes)
    if facts.broker:
        with contextlib.suppress(redis.RedisError):
            figures["broker_messages"] = ("Messages waiting in the broker.", depth(broker))
    return figures


def _figures_of_rows(rows: Rows) -> dict[str, tuple[str, float]]:
    backlog = rows.backlog
    oldest_s = (rows.at - backlog.oldest_queued_at).total_seconds() if backlog.oldest_queued_at else 0
    return {
        "images_queued": ("Images waiting for a worker.", backlog.queued),
        "images_running": ("Images leased to a worker.", backlog.running),
        "oldest_queued_seconds": ("Age of the oldest waiting image.", oldest_s),
        "images_done_last_hour": ("Images screened in the last hour.", backlog.done_last_hour),
        "images_failed_last_hour": ("Images that failed for good in the last hour.", backlog.failed_last_hour),
        "workers_alive": ("Workers seen in the last ten seconds.", len(rows.alive)),
    }
