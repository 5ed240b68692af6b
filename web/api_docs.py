"""The OpenAPI document and an interactive page for it, from files that the service itself serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import flask_openapi3_swagger
from flask import Blueprint, current_app, render_template
from flask_openapi3.openapi import OpenAPI

SWAGGER_FILES = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
PROBLEM = "#/components/schemas/Problem"

blueprint = Blueprint("api_docs", __name__, static_folder=SWAGGER_FILES, static_url_path="/api/docs/assets")


@blueprint.get("/openapi.json")
def document() -> dict[str, Any]:
    generated = cast(dict[str, Any], cast(OpenAPI, current_app).api_doc)
    return generated | {"paths": {path: _with_problems(operations) for path, operations in generated["paths"].items()}}


def _with_problems(operations: dict[str, Any]) -> dict[str, Any]:
    """The operations of a path with the media type of errors, for which flask-openapi3 writes `application/json`."""
    return {
        method: operation
        | {"responses": {status: _as_problem(answer) for status, answer in operation["responses"].items()}}
        for method, operation in operations.items()
    }


def _as_problem(answer: dict[str, Any]) -> dict[str, Any]:
    body = answer.get("content", {}).get("application/json", {})
    if body.get("schema", {}).get("$ref") != PROBLEM:
        return answer
    return answer | {"content": {"application/problem+json": body}}


@blueprint.get("/api/docs")
def page() -> str:
    return render_template("api_docs.html")
