"""The HTTP client of the service's API: retries what may pass, and says clearly what will not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from client import retries
from client.retries import ATTEMPTS, problem, retry_after_s
from client.unchanged import UnchangedFile
from core.errors import ConfigurationError, PneumoscreenError

API = "/api/v1"
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
PAGE_SIZE = 500
MAX_NAME_CHARS = 512
"""Of a file's name the service keeps the end, too."""
MAX_MESSAGE_CHARS = 500
"""Of what was wrong with a file the service takes no more."""


class ServiceError(PneumoscreenError):
    """The service refused a request, or is not pneumoscreen. `status` is the HTTP status."""

    code = "service_error"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(PneumoscreenError):
    """No answer, after all the retries."""

    code = "unreachable"


class Interrupted(Exception):
    """Raised in upload threads once the command is being stopped."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job, and when to ask again (seconds). `body` is None when nothing has changed since the last time."""

    body: dict[str, Any] | None
    etag: str
    retry_after_s: float | None


class Client:
    """One service, one user. Safe to use from several threads."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        self.stopping = threading.Event()
        self.on_wait: Callable[[str], None] = lambda _words: None
        """Told why and how long the service makes us wait; called from any thread."""
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "pneumoscreen"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not is_loopback(url),  # a proxy of the environment has no way to this machine
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def whoami(self) -> dict[str, Any]:
        """Check address and token: `{name, role}`. Not retried, so that a mistyped URL shows at once.

        Raises:
            ConfigurationError: the token is refused.
            Unreachable, ServiceError: nobody answers, or something else does.
        """
        return self._object(self._request("GET", "/whoami", attempts=1), "name")

    def create_job(
        self, name: str, priority: str, key: str, expected_images: int | None = None, population: str | None = None
    ) -> dict[str, Any]:
        """The job that this user made with `key` before, or a new one, which shall get `expected_images` files.

        Its images are judged as those of a `population`; None: the service finds out for each.
        """
        body: dict[str, Any] = {"name": name, "priority": priority, "key": key}
        if expected_images is not None:
            body["expected_images"] = expected_images
        if population is not None:
            body["population"] = population
        return self._object(self._request("POST", "/jobs", json=body), "id")

    def known(self, job_id: int, files: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """For each (filename, sha256): its image in the job, or an entry with `missing`."""
        body = {"images": [{"filename": sendable(name), "sha256": sha256} for name, sha256 in files]}
        return self._images(self._request("POST", f"/jobs/{job_id}/images/known", json=body), len(files))

    def send(self, job_id: int, files: Sequence[tuple[str, UnchangedFile]]) -> list[dict[str, Any]]:
        """Upload; for each file its image, or an entry with `error`. Sending twice makes no second image.

        Raises:
            Unsendable: one of the files is not what it was; the service took none of them.
        """
        parts: Any = [("files", (sendable(name), file, "application/octet-stream")) for name, file in files]
        return self._images(self._request("POST", f"/jobs/{job_id}/images", files=parts), len(files))

    def reject(self, job_id: int, files: Sequence[tuple[str, str]]) -> None:
        """Tell of files that the job will not get, each as (filename, message). Telling twice changes nothing."""
        for start in range(0, len(files), PAGE_SIZE):
            some = files[start : start + PAGE_SIZE]
            body = [{"filename": sendable(name), "message": message[:MAX_MESSAGE_CHARS]} for name, message in some]
            self._request("POST", f"/jobs/{job_id}/rejected", json={"files": body})

    def job(self, job_id: int, etag: str = "") -> JobStatus:
        """The job's state; the body is None when it still has `etag`."""
        headers = {"If-None-Match": etag} if etag else {}
        response = self._request("GET", f"/jobs/{job_id}", headers=headers)
        body = None if response.status_code == httpx.codes.NOT_MODIFIED else self._object(response, "counts")
        return JobStatus(body, response.headers.get("ETag", etag), retry_after_s(response.headers))

    def images(self, job_id: int) -> Iterator[dict[str, Any]]:
        """All images of a job, a page at a time."""
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"limit": PAGE_SIZE} | ({"cursor": cursor} if cursor else {})
            page = self._object(self._request("GET", f"/jobs/{job_id}/images", params=params), "items")
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def workers(self) -> int | None:
        """How many workers run; None when the service does not say."""
        try:
            body = self._http.get("/readyz").json()
            return int(body["workers"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

    def _request(self, method: str, path: str, *, attempts: int = ATTEMPTS, **arguments: Any) -> httpx.Response:
        """Send, and send again after what may pass. Every request here is safe to repeat."""
        try:
            return self._checked(
                retries.of_errors(attempts, self._pause)(self._send_when_room, method, API + path, **arguments)
            )
        except httpx.TransportError as error:
            raise Unreachable(_unreachable(self.url, error)) from error

    def _send_when_room(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The first answer that does not say that the service is full."""
        return retries.until_room(self._pause, self.on_wait)(self._send, method, path, **arguments)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        if self.stopping.is_set():
            raise Interrupted
        return self._http.request(method, path, **arguments)

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Interrupted

    def _checked(self, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if status < 300 or status == httpx.codes.NOT_MODIFIED:
            return response
        if status == httpx.codes.UNAUTHORIZED:
            raise ConfigurationError(
                f"{self.url} refused the token: give a valid one with --token or PNEUMOSCREEN_TOKEN "
                "(`pneumoscreen token create NAME` makes one)."
            )
        if response.is_redirect:
            raise ServiceError(f"{self.url} redirects to {response.headers.get('Location')}: give --url that.", status)
        body = problem(response)
        detail = str(body.get("detail") or body.get("title") or "") or None
        if detail is None and status == httpx.codes.NOT_FOUND:
            raise ServiceError(_not_ours(self.url), status)
        raise ServiceError(f"{self.url} answered {status}: {detail or response.reason_phrase}", status)

    def _object(self, response: httpx.Response, *keys: str) -> dict[str, Any]:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or not all(key in body for key in keys):
            raise ServiceError(_not_ours(self.url), response.status_code)
        return body

    def _images(self, response: httpx.Response, count: int) -> list[dict[str, Any]]:
        images = self._object(response, "images")["images"]
        if len(images) != count:
            raise ServiceError(
                f"{self.url} answered for {len(images)} of {count} files: it is of another version.",
                response.status_code,
            )
        return list(images)


def sendable(name: str) -> str:
    """`name` as both a JSON string and the header of a form's part carry it unchanged.

    A part's header has no way to say a control character, and takes `%22` for a quote (WHATWG HTML, 4.10.21.8).
    """
    printable = "".join("\N{REPLACEMENT CHARACTER}" if ord(character) < 0x20 else character for character in name)
    return printable.replace("%22", '"')[-MAX_NAME_CHARS:]


def check_url(url: str) -> str:
    """`url` without a slash at its end.

    Raises:
        ConfigurationError: it is no http or https URL.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError(f"{url!r} is not a URL like http://127.0.0.1:8000; see --url.")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine itself."""
    host = httpx.URL(url).host
    return host in ("localhost", "::1") or host.startswith("127.")


def _unreachable(url: str, error: httpx.TransportError) -> str:
    reason = str(error) or type(error).__name__
    return f"Cannot reach {url} ({reason}): is the service running (`pneumoscreen up`), and is --url right?"


def _not_ours(url: str) -> str:
    return f"What answers at {url} is not pneumoscreen: check --url."
