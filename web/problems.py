"""How an error looks: a page for people, `application/problem+json` (RFC 9457) for programs."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Response, make_response, render_template, request
from pydantic import ValidationError

from web import request_ids

CODES = {413: "request_too_large", 422: "invalid_request"}
"""Codes for statuses whose phrase depends on Python's version. All other codes are made from the phrase."""

TITLES = {
    400: "That did not work",
    403: "Not for this account",
    404: "Not found",
    413: "Too much at once",
    422: "That did not work",
    429: "The queue is full",
    500: "Something went wrong",
    503: "Out of service for the moment",
    507: "The image storage is full",
}
"""Titles of error pages; problem documents have the phrase of the HTTP standard."""


def problem(status: int, detail: str, code: str | None = None, **more: Any) -> Response:
    """A problem document; `code` is stable, `detail` is for a person, `request_id` stands in the log too."""
    title = HTTPStatus(status).phrase
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code or CODES.get(status) or title.lower().replace(" ", "_"),
    }
    if number := request_ids.current():
        body["request_id"] = number
    return Response(json.dumps(body | more), status, mimetype="application/problem+json")


def invalid_request(error: ValidationError) -> Response:
    """The answer to a request with wrong values: each field, and what is wrong with it."""
    errors = [
        {"field": ".".join(map(str, e["loc"])), "message": e["msg"]}
        for e in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    detail = "; ".join(f"{e['field'] or 'body'}: {e['message']}" for e in errors)
    return problem(422, detail, "invalid_request", errors=errors)


def wants_json() -> bool:
    return request.path.startswith("/api/") or request.path == "/openapi.json"


def answer(status: int, detail: str, code: str | None = None) -> Response:
    """The error of this request, as its client reads errors."""
    if wants_json():
        return problem(status, detail, code)
    title = TITLES.get(status) or HTTPStatus(status).phrase
    page = render_template("error.html", status=status, title=title, detail=detail, request_id=request_ids.current())
    return make_response(page, status)
