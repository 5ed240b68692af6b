"""One image as bytes: its file, its picture, the map of what the model saw."""

from __future__ import annotations

from typing import Any

from flask import Response, send_file

from core.errors import NotFound
from db import previews
from db.audit import Kind
from services.jobs import get_image
from web import heat_map
from web.api.base import blueprint, conditional
from web.api.fields import ImagePath, Problem
from web.auth import caller
from web.dependencies import dependencies

FILE: Any = {"content": {"image/jpeg": {}, "image/png": {}}}


@blueprint.get("/images/<int:image_id>/file", responses={200: FILE, 206: FILE, 304: None, 416: Problem})
def read_image_file(path: ImagePath) -> Response:
    """The bytes that were uploaded."""
    deps = dependencies()
    with deps.database.read() as session:
        row = get_image(session, path.image_id)
    deps.view_log.record(caller(), Kind.IMAGE, path.image_id, "file")
    response = send_file(
        deps.store.open(row.sha256),
        mimetype=row.media_type,
        etag=row.sha256,
        download_name=f"image-{row.id}.{row.media_type.removeprefix('image/')}",
    )
    if response.status_code == 200:
        response.content_length = row.size_bytes
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@blueprint.get("/images/<int:image_id>/picture", responses={200: {"content": {"image/jpeg": {}}}, 304: None})
def read_image_picture(path: ImagePath) -> Response:
    """The gray, upright picture that the model judged, as a JPEG. Only of files that a browser shows differently."""
    deps = dependencies()
    with deps.database.read() as session:
        jpeg = previews.picture(session, get_image(session, path.image_id).sha256)
    if jpeg is None:
        raise NotFound(f"There is no picture of image {path.image_id} beside its file.")
    deps.view_log.record(caller(), Kind.IMAGE, path.image_id, "picture")
    return conditional(Response(jpeg, mimetype="image/jpeg"))


@blueprint.get("/images/<int:image_id>/cam", responses={200: {"content": {"image/png": {}}}, 304: None})
def read_image_cam(path: ImagePath) -> Response:
    """Where the newest model saw evidence of pneumonia: a PNG to lay over the part of the image that it judged. It is
    transparent all over where the map points nowhere."""
    deps = dependencies()
    with deps.database.read() as session:
        row = get_image(session, path.image_id)
    primary = row.primary_prediction
    if primary is None or primary.cam is None:
        raise NotFound(f"There is no activation map of image {path.image_id}.")
    deps.view_log.record(caller(), Kind.IMAGE, path.image_id, "map")
    response = Response(heat_map.render(primary.cam, primary.threshold), mimetype="image/png")
    return conditional(response)
