"""Checks the parts of an upload before a view sees them, since the form parser drops silently what it cannot use."""

from __future__ import annotations

from flask import Response, request

from web.problems import problem

FIELDS = {"api.upload_images": "files", "api.upload_image": "file"}
"""Endpoint -> the name of the parts that hold its files."""


def check() -> Response | None:
    """A problem document that names the first part that is wrong; None: the form is as it should be."""
    field = FIELDS.get(request.endpoint or "")
    if field is None:
        return None
    detail = _not_multipart(field) or _not_a_file(field) or _wrong_files(field)
    return problem(422, detail, "invalid_request") if detail else None


def _not_multipart(field: str) -> str:
    if request.mimetype != "multipart/form-data":
        return f"Send files as multipart/form-data, each in a part named `{field}`."
    if not request.mimetype_params.get("boundary"):
        return "The Content-Type multipart/form-data lacks its boundary: let the HTTP client set the header by itself."
    return ""


def _not_a_file(field: str) -> str:
    if field in request.form:
        return f'A part `{field}` has no file name: add filename="…" to its Content-Disposition, and send again.'
    return ""


def _wrong_files(field: str) -> str:
    """Too many files, no file, or a file in a part of another name."""
    names = list(request.files)
    count = len(request.files.getlist(field))
    other = next((name for name in names if name != field), None)
    if other is not None:
        return f"A file came in the part `{other[:100]}`: name the part `{field}`, and send again."
    if not count:
        return (
            f"No part `{field}` could be read: it is missing, or the body is damaged. "
            f"Send each file in a part `{field}`, with its name."
        )
    if field == "file" and count > 1:
        return f"The part `file` came {count} times: send one image, or several to a job (POST /api/v1/jobs)."
    return ""
