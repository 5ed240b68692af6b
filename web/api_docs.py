"""The OpenAPI document and an interactive page for it, from files that the service itself serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import flask_openapi3_swagger
from flask import Blueprint, current_app, render_template
from flask_openapi3.openapi import OpenAPI

SWAGGER_FILES = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

blueprint = Blueprint("api_docs", __name__, static_folder=SWAGGER_FILES, static_url_path="/api/docs/assets")


@blueprint.get("/openapi.json")
def document() -> dict[str, Any]:
    return cast(dict[str, Any], cast(OpenAPI, current_app).api_doc)


@blueprint.get("/api/docs")
def page() -> str:
    return render_template("api_docs.html")
