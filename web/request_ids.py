"""A number for each request, in its answer and in every line that it logs, so that these lines can be found.

A proxy that is trusted to name the client's address may also name the request: its own log then has the same number.
"""

from __future__ import annotations

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, has_app_context, request

log = structlog.get_logger()

HEADER = "X-Request-ID"
QUIET = frozenset({"static", "health.healthz", "health.readyz", "health.metrics"})
"""Requests that machines make every few seconds, or that are part of a page. They are logged only if they fail."""
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""A proxy's number must not be a sentence, or a client could write a name into our logs."""


def install(app: Flask, *, trust_proxy: bool) -> None:
    """Number the requests of `app`. Call this before other hooks are registered: what they log has the number then.

    The line of a request names its endpoint and the ids in its address, never the address itself, into which somebody
    may have typed a patient's name.
    """

    def begin() -> None:
        given = request.headers.get(HEADER, "") if trust_proxy else ""
        g.request_id = given if _ACCEPTABLE.fullmatch(given) else secrets.token_hex(8)
        numbers = {name: value for name, value in (request.view_args or {}).items() if isinstance(value, int)}
        structlog.contextvars.bind_contextvars(request_id=g.request_id, **numbers)
        g.request_began_s = time.monotonic()

    def name(response: Response) -> Response:
        if "request_id" not in g:
            return response
        response.headers[HEADER] = g.request_id
        if request.endpoint not in QUIET or response.status_code >= 400:
            seconds = round(time.monotonic() - g.request_began_s, 3)
            log.info(
                "request",
                method=request.method,
                endpoint=request.endpoint,
                status=response.status_code,
                seconds=seconds,
            )
        return response

    def end(_error: BaseException | None) -> None:
        """Forget the number: the thread goes on to another request."""
        structlog.contextvars.clear_contextvars()

    app.before_request(begin)
    app.after_request(name)
    app.teardown_request(end)


def current() -> str | None:
    """The number of the current request; None outside of one."""
    number: str | None = g.get("request_id") if has_app_context() else None
    return number
