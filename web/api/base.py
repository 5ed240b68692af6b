"""The blueprint of the API, and how its views answer."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel

from web.api.fields import Problem
from web.intake import form_check

MAX_FILES_PER_REQUEST = 1000
DESCRIPTION = (
    "Screens chest X-rays for pneumonia. A research tool for triage, never a diagnosis. "
    "Send images to a job, then poll the job; errors are `application/problem+json`."
)
SECURITY_SCHEMES: Any = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": "session"},
}
PROBLEMS = dict.fromkeys((400, 401, 403, 404, 413, 415, 422, 503), Problem)
"""Errors that every operation may answer with."""
NO_ROOM: dict[Any, Any] = dict.fromkeys((429, 507), Problem)
FILE: Any = {"content": {"image/jpeg": {}, "image/png": {}}}

blueprint = APIBlueprint(
    "api",
    __name__,
    url_prefix="/api/v1",
    abp_security=[{"token": []}, {"session": []}],
    abp_responses=PROBLEMS,  # type: ignore[arg-type]  # a dict is invariant
)


blueprint.before_request(form_check.check)


def as_json(body: BaseModel, status: int = 200, *, exclude_none: bool = False, **headers: str) -> Response:
    response = Response(body.model_dump_json(exclude_none=exclude_none), status, mimetype="application/json")
    response.headers.update(headers)
    return response


def conditional(response: Response) -> Response:
    """Add an ETag; turn the answer into a 304 without a body if the client has this version already."""
    response.add_etag()
    response.make_conditional(request)  # changes the response in place
    return response
