"""Errors as people and programs read them: a page, or `application/problem+json` (RFC 9457) under /api."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, make_response, render_template, request
from pydantic import ValidationError
from sqlalchemy.exc import DataError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from core.errors import BlobMissing, PneumoscreenError, QueueFull, StorageFull, StorageUnavailable
from web import request_ids
from web.storage import storage

RETRY_AFTER_S = 5
STORAGE_RETRY_AFTER_S = 60
"""A full disk needs a person, or a job deleted."""

CODES = {413: "request_too_large", 422: "invalid_request"}
"""Where the phrase of the standard library, which the code is made of otherwise, depends on Python's version."""

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
"""For people, who see a page; programs get the phrase of the standard."""

log = structlog.get_logger()


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(BlobMissing, _missing)
    app.register_error_handler(StorageUnavailable, _unavailable)
    app.register_error_handler(StorageFull, _storage_full)
    app.register_error_handler(QueueFull, _queue_full)
    app.register_error_handler(DataError, _not_storable)
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(PoolTimeout, _unavailable)  # every connection of the pool hangs in the database
    app.register_error_handler(InternalError, _unavailable)  # PostgreSQL ended a write that did nothing for too long
    app.register_error_handler(Exception, _crash)


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
    """What was wrong with a request's values, each by its place."""
    errors = [
        {"field": ".".join(map(str, e["loc"])), "message": e["msg"]}
        for e in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    detail = "; ".join(f"{e['field'] or 'body'}: {e['message']}" for e in errors)
    return problem(422, detail, "invalid_request", errors=errors)


def wants_json() -> bool:
    return request.path.startswith("/api/") or request.path == "/openapi.json"


def _answer(status: int, detail: str, code: str | None = None) -> Response:
    if wants_json():
        return problem(status, detail, code)
    title = TITLES.get(status) or HTTPStatus(status).phrase
    page = render_template("error.html", status=status, title=title, detail=detail, request_id=request_ids.current())
    return make_response(page, status)


def http_error(error: HTTPException) -> Response:
    """The answer to a request that ended with `error`, whose `problem_code`, if it has one, is for programs."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # made by us: a redirect or a problem document
    status = error.code or 500
    if 300 <= status < 400:
        return error.get_response()  # type: ignore[return-value]
    detail = _too_large() if status == 413 else error.description or ""
    if status == 404 and error is request.routing_exception:
        detail = "There is nothing at this address: check how it is spelled."
    response = _answer(status, detail, getattr(error, "problem_code", None))
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "WWW-Authenticate"}:
            response.headers[name] = value
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _too_large() -> str:
    size_bytes, parts = request.max_content_length or 0, current_app.config["MAX_FORM_PARTS"]
    if size_bytes < current_app.config["MAX_CONTENT_LENGTH"]:
        return f"One such request may carry {size_bytes / 1e3:,.0f} kB. Send less at a time."
    return (
        f"One request may carry {size_bytes / 1e6:,.0f} MB in {parts:,} files and fields. Send fewer, or smaller ones."
    )


def _missing(error: BlobMissing) -> Response:
    """404, unless the whole store is missing: then the bytes may well be there once it is back."""
    try:
        storage().require()
    except StorageUnavailable as away:
        return _unavailable(away)
    log.error("blob_missing", endpoint=request.endpoint)
    return _answer(404, error.message, error.code)


def _not_storable(error: DataError) -> Response:
    """PostgreSQL takes no NUL in a text, wherever in a request it hides."""
    log.warning("value_refused_by_database", error=type(error.orig).__name__)
    return _answer(422, "A value of this request cannot be stored or compared: look for control characters.")


def _queue_full(error: QueueFull) -> Response:
    log.warning("queue_full", endpoint=request.endpoint, retry_after_s=error.retry_after_s)
    response = _answer(429, error.message, error.code)
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _storage_full(error: StorageFull) -> Response:
    log.error("storage_full", endpoint=request.endpoint)
    response = _answer(507, f"{error.message} Nothing of this request was kept: send it again later.", error.code)
    response.headers["Retry-After"] = str(STORAGE_RETRY_AFTER_S)
    return response


def _unavailable(error: Exception) -> Response:
    log.error("service_unavailable", error=type(error).__name__)
    detail, code = "The database does not answer.", "database_unavailable"
    if isinstance(error, PneumoscreenError):
        detail, code = error.message, error.code
    response = _answer(503, f"{detail} Nothing of this request was kept: send it again.", code)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _crash(error: Exception) -> Response:
    log.error("request_crashed", endpoint=request.endpoint, exc_info=error)
    return _answer(500, "The server failed on this request. The operator finds the reason in the log.")
