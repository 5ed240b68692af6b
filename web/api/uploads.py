"""Uploads of files, and the answer for each file."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3.models.file import FileStorage
from pydantic import BaseModel, Field
from sqlalchemy.orm.attributes import set_committed_value

from core.populations import Population
from db import tables
from db.states import ImageState
from services.files import Rejected
from web import errors
from web.api.base import NO_ROOM, as_json, blueprint
from web.api.fields import Error, JobPath, Problem, Schema, Sha256
from web.api.images import Image
from web.auth import caller
from web.dependencies import dependencies
from web.intake.upload_request import incoming


class Upload(BaseModel):
    files: list[FileStorage] = Field(min_length=1, max_length=1000, description="JPEG or PNG files.")


class SingleUpload(BaseModel):
    file: FileStorage = Field(description="One JPEG or PNG file.")
    population: Population | None = Field(
        None, description="As whose it is judged; absent: by the patient's age where it is known, else the model."
    )


class Received(Schema):
    """One file of an upload: an image of the job, or what was wrong with it."""

    filename: str
    id: int | None = None
    sha256: str | None = None
    state: ImageState | None = None
    error: Error | None = None


class ReceivedList(Schema):
    images: list[Received]


class KnownFile(Schema):
    filename: str = Field(min_length=1, max_length=4096)
    sha256: Sha256


class KnownFiles(Schema):
    images: list[KnownFile] = Field(min_length=1, max_length=1000)


class Known(Schema):
    filename: str
    sha256: str
    id: int | None = None
    state: ImageState | None = None
    missing: bool = Field(False, description="These bytes have to be uploaded.")


class KnownList(Schema):
    images: list[Known]


@blueprint.post("/jobs/<int:job_id>/images", responses={201: ReceivedList, 409: Problem} | NO_ROOM)
def upload_images(path: JobPath, form: Upload) -> Response:
    """Send files (multipart field `files`). Sending a file of the same name and content again changes nothing.

    429 or 507: there is no room; send again after Retry-After. A single file with the error `storage_full` likewise.
    """
    received = dependencies().ingest.receive(caller(), path.job_id, incoming(form.files))
    return as_json(ReceivedList(images=[_received(item) for item in received]), 201, exclude_none=True)


def _received(item: tables.Image | Rejected) -> Received:
    if isinstance(item, Rejected):
        return Received(filename=item.filename, error=Error(code=item.code, message=item.message))
    return Received(filename=item.filename, id=item.id, sha256=item.sha256, state=item.state)


@blueprint.post("/jobs/<int:job_id>/images/known", responses={200: KnownList, 409: Problem} | NO_ROOM)
def add_known_images(path: JobPath, body: KnownFiles) -> Response:
    """Add files by sha256 that you have sent before; those marked `missing` have to be uploaded."""
    wanted = [(item.filename, item.sha256) for item in body.images]
    images = dependencies().ingest.receive_known(caller(), path.job_id, wanted)
    answers = [
        Known(filename=filename, sha256=sha256, missing=True)
        if image is None
        else Known(filename=image.filename, sha256=sha256, id=image.id, state=image.state, missing=False)
        for (filename, sha256), image in zip(wanted, images, strict=True)
    ]
    return as_json(KnownList(images=answers), exclude_none=True)


@blueprint.post("/images", responses={202: Image} | NO_ROOM)
def upload_image(form: SingleUpload) -> Response:
    """Send one image (multipart field `file`) as an interactive job of its own."""
    (file,) = incoming([form.file])
    item = dependencies().ingest.receive_single(caller(), file, form.population)
    if isinstance(item, Rejected):
        return errors.rejected(item)
    # Not read from the database again: if that failed, the client would send an image that is already stored.
    set_committed_value(item, "primary_prediction", None)
    return as_json(Image.of(item), 202, Location=url_for("api.read_image", image_id=item.id))
