"""What is known of a request before its body is read: who asks, whether they may, and how much may come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, request

from web import auth, unsent_forms
from web.intake.multipart import FormReader
from web.intake.upload_request import UploadRequest
from web.server.gateway import Environ


@dataclass(frozen=True, slots=True)
class Admitted:
    """A body of `at_most_bytes` may come. `form` reads that of an upload; any other is kept whole."""

    at_most_bytes: int
    form: FormReader | None


def admit(app: Flask, values: Environ) -> Admitted:
    """Say how large a body may come.

    Raises:
        Exception: the request is refused, for example because nobody is signed in, or there is no room. Flask answers
            with it (`web.intake.refusals`).
    """
    with app.request_context(values):
        if request.routing_exception is not None:
            raise request.routing_exception
        try:
            auth.check_headers()
        except (auth.NotSignedIn, auth.StaleForm):
            if not unsent_forms.may_be_kept():
                raise
            return Admitted(unsent_forms.MAX_FORM_BYTES, None)  # Flask refuses it again, and keeps what a person typed
        incoming = cast(UploadRequest, request._get_current_object())  # type: ignore[attr-defined]
        return Admitted(incoming.max_content_length, incoming.prepare())
