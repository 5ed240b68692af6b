"""The HTTP client: what it retries, and what it says."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable
from email.utils import formatdate

import httpx
import pytest

from client import retries
from client.http import Client, Interrupted, ServiceError, Unreachable, check_url, is_loopback
from client.retries import retry_after_s
from client.unchanged import UnchangedFile
from core.errors import ConfigurationError

URL = "http://127.0.0.1:1"
JOB = {"id": 1, "counts": {}}
Handler = Callable[[httpx.Request], httpx.Response]


class Script:
    """Answers with the given responses, one after the other; an exception is raised instead."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(handler: Handler) -> Client:
    return Client(URL, "secret", transport=httpx.MockTransport(handler))


def ok(body: object = JOB, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_every_request_carries_the_token() -> None:
    script = Script(ok({"name": "ada"}))

    client(script).whoami()

    assert script.requests[0].headers["Authorization"] == "Bearer secret"
    assert script.requests[0].url == f"{URL}/api/v1/whoami"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    script = Script(httpx.Response(status, headers={"Retry-After": "0"}), httpx.ConnectError("refused"), ok())

    assert client(script).job(1).body == JOB
    assert len(script.requests) == 3


def full(status: int, code: str, retry_after: str = "0") -> httpx.Response:
    body = {"detail": "No place for more.", "code": code}
    return httpx.Response(status, json=body, headers={"Retry-After": retry_after})


def test_a_full_queue_is_waited_for_however_long_and_said() -> None:
    script = Script(*(full(429, "queue_full") for _ in range(retries.ATTEMPTS + 5)), ok())
    waiting = client(script)
    words: list[str] = []
    waiting.on_wait = words.append

    assert waiting.job(1).body == JOB
    assert set(words) == {"the service asks to wait, its queue is full; next try in 0 s"}


def test_a_full_disk_is_waited_for_and_an_error_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "MAX_STORAGE_WAIT_S", 0.02)
    script = Script(*(full(507, "storage_full", "0.01") for _ in range(3)))

    with pytest.raises(ServiceError, match="No place for more"):
        client(script).job(1)
    assert script.answers == []


def test_a_wait_for_room_ends_when_the_command_is_stopped() -> None:
    stopped = client(Script(full(429, "queue_full", "100"), ok()))
    stopped.on_wait = lambda _words: stopped.stopping.set()

    with pytest.raises(Interrupted):
        stopped.job(1)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    script = Script(httpx.Response(status, json={"detail": "Job 1 was cancelled."}))

    with pytest.raises(ServiceError, match=r"Job 1 was cancelled") as caught:
        client(script).job(1)

    assert caught.value.status == status
    assert len(script.requests) == 1


def test_it_waits_as_long_as_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    asked = client(Script(httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(429), ok()))
    monkeypatch.setattr(asked, "_pause", waits.append)

    asked.job(1)

    assert waits[0] == 7
    assert 0 < waits[1] <= retries.FIRST_DELAY_S * 2


def test_it_gives_up_in_the_end() -> None:
    script = Script(*[httpx.ConnectError("Connection refused")] * 9)

    with pytest.raises(Unreachable, match=r"Cannot reach http://127\.0\.0\.1:1 \(Connection refused\): is the service"):
        client(script).job(1)

    assert script.answers == []


def test_the_first_request_fails_at_once() -> None:
    script = Script(httpx.ConnectError("Connection refused"))

    with pytest.raises(Unreachable):
        client(script).whoami()


def test_stopping_ends_a_wait() -> None:
    asked = client(lambda _request: httpx.Response(503, headers={"Retry-After": "60"}))
    threading.Timer(0.05, asked.stopping.set).start()

    started_s = time.monotonic()
    with pytest.raises(Interrupted):
        asked.job(1)

    assert time.monotonic() - started_s < 50, "it did not wait the minute"


def test_a_refused_token_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"refused the token.*PNEUMOSCREEN_TOKEN"):
        client(Script(httpx.Response(401, json={"detail": "no"}))).whoami()


def test_a_redirect_is_not_followed_with_the_token() -> None:
    script = Script(httpx.Response(301, headers={"Location": "https://other.example/"}))

    with pytest.raises(ServiceError, match=r"redirects to https://other\.example/: give --url that"):
        client(script).whoami()
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(404, text="<h1>nginx</h1>"), httpx.Response(200, text="<h1>hello</h1>"), ok([1]), ok({"a": 1})],
    ids=["404", "HTML", "a list", "another object"],
)
def test_another_program_at_the_address(answer: httpx.Response) -> None:
    with pytest.raises(ServiceError, match="is not pneumoscreen: check --url"):
        client(Script(answer)).whoami()


def test_an_upload_that_is_tried_again_sends_the_whole_file() -> None:
    script = Script(httpx.Response(503, headers={"Retry-After": "0"}), ok({"images": [{"id": 1}]}))

    data = b"all of it"
    client(script).send(1, [("a.png", UnchangedFile(io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest()))])

    assert [b"all of it" in request.content for request in script.requests] == [True, True]


def test_answers_for_another_number_of_files() -> None:
    with pytest.raises(ServiceError, match="answered for 1 of 2 files"):
        client(Script(ok({"images": [{}]}))).known(1, [("a", "0"), ("b", "1")])


def test_an_unchanged_job_has_no_body() -> None:
    script = Script(ok(JOB, ETag='"1"', Retry_After="3"), httpx.Response(304, headers={"Retry-After": "1"}))
    asked = client(script)

    first = asked.job(1)
    second = asked.job(1, first.etag)

    assert (first.body, first.etag, first.retry_after_s) == (JOB, '"1"', 3.0)
    assert (second.body, second.etag, second.retry_after_s) == (None, '"1"', 1.0)
    assert script.requests[1].headers["If-None-Match"] == '"1"'


def test_images_are_paged() -> None:
    script = Script(ok({"items": [{"id": 1}, {"id": 2}], "next_cursor": 2}), ok({"items": [{"id": 3}]}))

    assert [image["id"] for image in client(script).images(1)] == [1, 2, 3]
    assert script.requests[1].url.params["cursor"] == "2"


@pytest.mark.parametrize(
    ("answer", "workers"), [(ok({"workers": 2}), 2), (ok({}), None), (httpx.ConnectError("no"), None)]
)
def test_workers(answer: httpx.Response | Exception, workers: int | None) -> None:
    assert client(Script(answer)).workers() == workers


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a URL like"):
        check_url(url)


def test_a_slash_at_the_end_is_dropped() -> None:
    assert check_url("https://host/prefix/") == "https://host/prefix"


def test_is_loopback() -> None:
    assert all(map(is_loopback, ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "http://127.1.2.3")))
    assert not any(map(is_loopback, ("http://10.0.0.1", "https://localhost.example.org", "http://host")))


@pytest.mark.parametrize(("value", "seconds"), [("", None), ("2", 2.0), ("-5", 0.0), ("soon", None)])
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value}) == seconds


def test_retry_after_as_a_date() -> None:
    seconds = retry_after_s({"Retry-After": formatdate(time.time() + 60, usegmt=True)})

    assert seconds is not None
    assert 55 < seconds <= 60
