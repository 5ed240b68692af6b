"""A service that keeps its jobs in memory and answers like the real one, for as far as `submit` goes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

TOKEN = "pns_test"
MODEL = {"name": "fake", "sha256": "f" * 64}
Fault = Callable[[Request], Response | None]


def problem(status: int, detail: str, **headers: str) -> Response:
    body = json.dumps({"type": "about:blank", "title": "x", "status": status, "detail": detail, "code": "x"})
    response = Response(body, status, mimetype="application/problem+json")
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


class UploadInMemory(Request):
    """Keeps no file open of a body that is cut off."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return BytesIO()


class FakeService:
    """Screens at once: bytes in `failing` fail, bytes in `refused` are refused at the upload, the rest are normal.

    `expected` are the totals that were declared, `rejected` the files that will not come; an `older` service knows
    neither. `faults` are asked in turn before each request; one that answers is dropped from the list.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, int] = {}
        self.names: list[str] = []
        self.populations: list[str | None] = []
        self.images: list[dict[str, Any]] = []
        self.uploads: list[list[str]] = []
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.failing: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.expected: list[int | None] = []
        self.rejected: list[tuple[str, str]] = []
        self.older = False
        self.polls_until_done = 1
        self.workers = 1
        self.page_size = 2
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        request = UploadInMemory(environ)
        request.get_data() if request.mimetype != "multipart/form-data" else request.files
        with self._lock, request:  # which closes the files of its form
            return self._answer(request)(environ, start)

    def _answer(self, request: Request) -> Response:
        self.requests.append((request.method, request.path))
        for fault in self.faults:
            if (response := fault(request)) is not None:
                self.faults.remove(fault)
                return response
        if request.path == "/readyz":
            return _json({"workers": self.workers})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "Sign in or send a token.")
        parts = request.path.removeprefix("/api/v1/").split("/")
        if parts == ["whoami"]:
            return _json({"name": "ada", "role": "admin"})
        if parts == ["jobs"]:
            return self._create(request.get_json())
        job_id = int(parts[1])
        if parts[2:] == ["images", "known"]:
            return self._known(job_id, request.get_json()["images"])
        if parts[2:] == ["images"] and request.method == "POST":
            return self._upload(job_id, request)
        if parts[2:] == ["rejected"]:
            return problem(404, "No such address.") if self.older else self._reject(request.get_json()["files"])
        return self._page(job_id, request) if parts[2:] == ["images"] else self._job(job_id, request)

    def _create(self, body: dict[str, Any]) -> Response:
        if self.older and "expected_images" in body:
            return problem(422, "Extra inputs are not permitted.")
        self.expected.append(body.get("expected_images"))
        new = body["key"] not in self.keys
        if new:
            self.names.append(body["name"])
            self.populations.append(body.get("population"))
        job_id = self.keys.setdefault(body["key"], len(self.keys) + 1)
        return _json({"id": job_id, "name": body["name"]}, 201 if new else 200)

    def _reject(self, files: list[dict[str, str]]) -> Response:
        self.rejected += [(file["filename"], file["message"]) for file in files]
        return Response(status=204)

    def _known(self, job_id: int, files: list[dict[str, str]]) -> Response:
        seen = {image["sha256"] for image in self.images}
        answers = [
            self._add(job_id, file["filename"], file["sha256"], b"")
            if file["sha256"] in seen
            else file | {"missing": True}
            for file in files
        ]
        return _json({"images": answers})

    def _upload(self, job_id: int, request: Request) -> Response:
        files = request.files.getlist("files")
        self.uploads.append([file.filename or "" for file in files])
        answers: list[dict[str, Any]] = []
        for file in files:
            data = file.stream.read()
            if data in self.refused:
                answers.append({"filename": file.filename, "error": {"code": "too_large", "message": "Too large."}})
            else:
                answers.append(self._add(job_id, file.filename or "", hashlib.sha256(data).hexdigest(), data))
        return _json({"images": answers}, 201)

    def _add(self, job_id: int, filename: str, sha256: str, data: bytes) -> dict[str, Any]:
        for image in self.images:
            if (image["job_id"], image["filename"], image["sha256"]) == (job_id, filename, sha256):
                return image
        failed = data in self.failing
        image = {
            "id": len(self.images) + 1,
            "job_id": job_id,
            "filename": filename,
            "sha256": sha256,
            "state": "failed" if failed else "done",
            "error": {"code": "corrupt_image", "message": "The image is damaged."} if failed else None,
            "prediction": None if failed else {"probability": 0.25, "decision": "normal", "model": MODEL},
        }
        self.images.append(image)
        return image

    def _job(self, job_id: int, request: Request) -> Response:
        counts = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
        for image in self.images:
            if image["job_id"] == job_id:
                waiting = self.polls_until_done > 0
                counts["queued" if waiting else image["state"]] += 1
        self.polls_until_done -= 1
        response = _json({"id": job_id, "counts": counts})
        response.add_etag()
        response.headers["Retry-After"] = "0"
        response.make_conditional(request)
        return response

    def _page(self, job_id: int, request: Request) -> Response:
        start = int(request.args.get("cursor", 0))
        images = [image for image in self.images if image["job_id"] == job_id]
        end = start + self.page_size
        cursor = end if end < len(images) else None
        return _json({"items": images[start:end], "next_cursor": cursor})


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")


@contextmanager
def serving(application: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port; yields its URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
