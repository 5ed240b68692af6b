"""Requests that were refused before they reached Flask: answered and logged as if a view had refused them."""

from __future__ import annotations

from flask import Flask, request

REFUSAL = "pneumoscreen.refusal"
"""Key of the WSGI environment under which `web.server` puts the exception that says why."""


def install(app: Flask) -> None:
    """Register after `request_ids` and before all other hooks."""
    app.before_request(_refuse)


def _refuse() -> None:
    refusal: Exception | None = request.environ.get(REFUSAL)
    if refusal is not None:
        raise refusal
