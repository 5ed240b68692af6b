"""Requests that were refused before they reached Flask: answered and logged as if a view had refused them."""

from __future__ import annotations

from flask import Flask, request

REFUSAL = "pneumoscreen.refusal"
"""In the environment: the exception that says why (`web.server`)."""


def install(app: Flask) -> None:
    """Register after the numbering of requests and before all else."""
    app.before_request(_refuse)


def _refuse() -> None:
    refusal: Exception | None = request.environ.get(REFUSAL)
    if refusal is not None:
        raise refusal
