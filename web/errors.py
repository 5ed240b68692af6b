"""The answer to every error: the one place that knows the HTTP status of an error of `core.errors`."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import DataError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from core.errors import (
    BlobMissing,
    Conflict,
    InvalidInput,
    NotFound,
    PneumoscreenError,
    QueueFull,
    StorageFull,
    StorageUnavailable,
    TooLarge,
    TooManyUploads,
    UnsupportedType,
)
from services import filenames
from services.files import Rejected
from web.dependencies import dependencies
from web.problems import answer, problem

RETRY_AFTER_S = 5
"""How long a client should wait while the database does not answer."""

STATUSES: Mapping[type[PneumoscreenError], int] = {
    NotFound: 404,
    BlobMissing: 404,
    Conflict: 409,
    InvalidInput: 422,
    QueueFull: 429,
    StorageUnavailable: 503,
    TooManyUploads: 503,
    StorageFull: 507,
}
"""By the nearest class of an error. An error that is not here is a fault of ours."""
REJECTED = {TooLarge.code: 413, UnsupportedType.code: 415}
"""Statuses by code, for an upload whose only file was rejected; other codes are 422."""
OPERATORS = frozenset({429, 503, 507})
"""An operator can do something about these, so they are logged."""
NOT_KEPT = {
    503: "Nothing of this request was kept: send it again.",
    507: "Nothing of this request was kept: send it again later.",
}

log = structlog.get_logger()


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(PneumoscreenError, application_error)
    app.register_error_handler(DataError, _not_storable)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)  # the database answers on none of the pool's connections
    app.register_error_handler(InternalError, _database_away)  # PostgreSQL ended a write that did nothing for too long
    app.register_error_handler(Exception, _crash)


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
    response = answer(status, detail, getattr(error, "problem_code", None))
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


def application_error(error: PneumoscreenError) -> Response:
    """The answer to an error that `services` or anything below it raised."""
    if isinstance(error, BlobMissing):
        error = _store_away() or error  # the bytes may well be there once the store is back
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None:
        return _crash(error)
    if status in OPERATORS or isinstance(error, BlobMissing):
        write = log.warning if status == 429 else log.error
        event = "service_unavailable" if status == 503 else error.code
        write(event, endpoint=request.endpoint, error=type(error).__name__, retry_after_s=error.retry_after_s)
    detail = f"{error.message} {NOT_KEPT[status]}" if isinstance(error, StorageUnavailable) else error.message
    return _with_retry_after(answer(status, detail, error.code), error.retry_after_s)


def rejected(file: Rejected) -> Response:
    """The answer to an upload whose only file was rejected."""
    return problem(REJECTED.get(file.code, 422), f"{filenames.shown(file.filename)}: {file.message}", file.code)


def _store_away() -> StorageUnavailable | None:
    """The error of the image storage as a whole; None if it works."""
    try:
        dependencies().ingest.guard.require()
    except StorageUnavailable as away:
        return away
    return None


def _with_retry_after(response: Response, retry_after_s: int | None) -> Response:
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _not_storable(error: DataError) -> Response:
    """PostgreSQL takes no NUL in a text, wherever in a request it hides."""
    log.warning("value_refused_by_database", error=type(error.orig).__name__)
    return answer(422, "A value of this request cannot be stored or compared: look for control characters.")


def _database_away(error: Exception) -> Response:
    log.error("service_unavailable", error=type(error).__name__)
    detail = f"The database does not answer. {NOT_KEPT[503]}"
    return _with_retry_after(answer(503, detail, "database_unavailable"), RETRY_AFTER_S)


def _crash(error: Exception) -> Response:
    log.error("request_crashed", endpoint=request.endpoint, exc_info=error)
    return answer(500, "The server failed on this request. The operator finds the reason in the log.")
