"""Flask's request class here: it limits the body by endpoint, and writes the files of a form into spools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from flask import Request, current_app
from werkzeug.datastructures import FileStorage, ImmutableMultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from db.states import Scope
from services.files import IncomingFile
from storage.spool import Spool
from web import permissions
from web.auth import caller
from web.dependencies import dependencies
from web.intake.multipart import PIECE_BYTES, FormReader

FORM_READER = "pneumoscreen.form_reader"
"""Key of the WSGI environment under which `web.server` puts the reader of a form that has arrived already."""
MAX_FORM_BYTES = 256 * 1024
"""Of a form without files, and of all text fields of an upload together."""
MAX_PUBLIC_BYTES = 16 * 1024
"""Of a request of somebody who is not signed in: a name and a password."""
MAX_JSON_BYTES = 2 * 1024 * 1024
"""Of a JSON body: a thousand file names with their sha256."""


class UploadRequest(Request):
    """A request whose `max_content_length` depends on its endpoint and its media type."""

    _reader: FormReader | None = None

    def close(self) -> None:
        """Flask's last call of a request."""
        super().close()
        if self._reader is not None:
            self._reader.close()

    @property
    def is_upload(self) -> bool:
        return self.mimetype == "multipart/form-data" and _takes_files(self.endpoint)

    @property
    def max_content_length(self) -> int:
        largest: int = current_app.config["MAX_CONTENT_LENGTH"]
        if self.is_upload:
            return largest
        if self.endpoint is None or permissions.is_public(self.endpoint):
            return min(MAX_PUBLIC_BYTES, largest)
        return min(MAX_JSON_BYTES if self.is_json else MAX_FORM_BYTES, largest)

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        raise NotImplementedError

    def prepare(self) -> FormReader | None:
        """Check the request before the first byte of its body is read.

        Returns:
            The reader of an upload's body; None: the request is no upload.

        Raises:
            RequestEntityTooLarge: its Content-Length is larger than allowed.
            QueueFull, StorageFull, StorageUnavailable: there is no room.
        """
        if (self.content_length or 0) > self.max_content_length:
            raise RequestEntityTooLarge
        if not self.is_upload:
            return None
        job_id = (self.view_args or {}).get("job_id")
        dependencies().ingest.admit(caller(), job_id, size_bytes=self.content_length or 0)
        return self._new_reader()

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        if self.mimetype != "multipart/form-data":
            super()._load_form_data()
            return
        self._reader = self.environ.get(FORM_READER) or self._read_all()
        fields, files = self._reader.finish()
        self.__dict__["form"] = ImmutableMultiDict(fields)
        self.__dict__["files"] = ImmutableMultiDict(files)

    def _read_all(self) -> FormReader:
        """Read a form that a server gives as a stream, such as Flask's test client."""
        self._reader = self.prepare() or self._new_reader()
        stream = self._get_stream_for_parsing()
        while piece := stream.read(PIECE_BYTES):
            self._reader.feed(piece)
        return self._reader

    def _new_reader(self) -> FormReader:
        boundary = self.mimetype_params.get("boundary", "").encode("ascii", "replace")
        parts: int = current_app.config["MAX_FORM_PARTS"]
        spools = dependencies().ingest.spools()
        return FormReader(boundary, spools, max_parts=parts, max_fields_bytes=MAX_FORM_BYTES)


def incoming(files: Iterable[FileStorage]) -> list[IncomingFile]:
    """The files of an `UploadRequest` as the application's services take them."""
    return [IncomingFile(file.filename or "", cast(Spool, file.stream)) for file in files]


def _takes_files(endpoint: str | None) -> bool:
    permission = permissions.ROUTES.get(endpoint or "")
    return permission is not None and permissions.SCOPES.get(permission) is Scope.SUBMIT
