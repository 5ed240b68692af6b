"""Clients that are slow on purpose hold no thread of the web process, and do not stay."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.site import Site, site
from tests.testing import factories
from tests.testing.polling import wait_until
from tests.testing.ports import answers, free_port
from tests.testing.slow_clients import openings, slow_clients

pytestmark = pytest.mark.integration

THREADS = 4
ROWS = 10_000
PATIENT = {"PNEUMOSCREEN_WEB_HEADER_TIMEOUT_S": "600", "PNEUMOSCREEN_WEB_SLOW_AFTER_S": "600"}
"""Nobody is cut off: whatever the slow ones hold, they hold until the end of the test."""
STRICT = {"PNEUMOSCREEN_WEB_HEADER_TIMEOUT_S": "1", "PNEUMOSCREEN_WEB_SLOW_AFTER_S": "2"}
NGINX = """
worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 1g; proxy_request_buffering off; proxy_buffering off; proxy_read_timeout 300s;
        location / {{
            proxy_pass {url}; proxy_http_version 1.1;
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def patient() -> Iterator[Site]:
    yield from served(PATIENT)


@pytest.fixture
def strict() -> Iterator[Site]:
    yield from served(STRICT)


def served(settings: dict[str, str]) -> Iterator[Site]:
    with site({"PNEUMOSCREEN_WEB_THREADS": str(THREADS), **settings}) as at:
        with at.database.begin() as session:
            factories.images(session, factories.job(session, factories.user(session, "archive")), ROWS)
        at.start_web()
        yield at


def port(url: str) -> int:
    number = urlsplit(url).port
    assert number is not None
    return number


def assert_served(url: str, token: str, first_seed: int) -> None:
    """Health, a page and real uploads, more of them than there are threads."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/").status_code == 200
        for seed in range(first_seed, first_seed + THREADS + 1):
            answer = client.post("/api/v1/images", files={"file": ("a.png", factories.png(seed, size_px=(300, 300)))})
            assert answer.status_code == 202, answer.text


def exchange(url: str, request: bytes) -> bytes:
    """All that is answered until the server closes."""
    with socket.create_connection(("127.0.0.1", port(url)), timeout=60) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("kind", ["half a header", "silent", "slow upload", "slow login", "slow CSV reader"])
def test_others_are_served_while_sixty_slow_clients_stay(patient: Site, kind: str) -> None:
    with slow_clients(port(patient.url), patient.token, 60, kinds=[kind]) as crowd:
        assert_served(patient.url, patient.token, 0)
        assert crowd.connected() == 60


def test_the_slow_ones_are_cut_off_in_their_time(strict: Site) -> None:
    kinds = ["half a header", "silent", "slow upload", "slow login", "slow CSV reader"]
    with slow_clients(port(strict.url), strict.token, 20, kinds=kinds, drip_s=0.5) as crowd:
        wait_until(lambda: crowd.connected() == 0, timeout_s=90)
        assert crowd.closed == dict.fromkeys(kinds, 4)
    assert_served(strict.url, strict.token, 0)
    assert not list((strict.directory / "data" / "blobs" / "incoming").iterdir()), "no spool is left"


def test_a_crowd_of_one_address_displaces_itself() -> None:
    limits = {"PNEUMOSCREEN_WEB_CONNECTIONS_PER_ADDRESS": "10"}
    for at in served(PATIENT | limits):
        with slow_clients(port(at.url), at.token, 40, kinds=["half a header", "silent"]) as crowd:
            wait_until(lambda: crowd.connected() <= 10, timeout_s=60)
            assert_served(at.url, at.token, 0)


def test_the_documented_nginx_with_slow_bodies(tmp_path: Path) -> None:
    proxy_port = free_port()
    url = f"http://127.0.0.1:{proxy_port}"
    for at in served(PATIENT | {"PNEUMOSCREEN_TRUSTED_PROXIES": "1"}):
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(NGINX.format(directory=tmp_path, port=proxy_port, url=at.url))
        try:
            nginx = subprocess.Popen(["nginx", "-c", str(configuration), "-e", str(tmp_path / "error.log")])
        except FileNotFoundError:
            pytest.skip("nginx is not installed")
        try:
            wait_until(lambda: answers(f"{url}/healthz"), timeout_s=60)
            with slow_clients(proxy_port, at.token, 31, kinds=["slow upload"]) as crowd:
                assert_served(url, at.token, 0)
                assert crowd.connected() == 31
        finally:
            nginx.terminate()
            nginx.wait(60)


def test_who_may_not_upload_is_told_before_the_first_byte(patient: Site) -> None:
    request = openings("")["upload of nobody"].partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n"
    answer = exchange(patient.url, request)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"code": "unauthorized"' in answer
    allowed = request.replace(b"Host: x", b"Host: x\r\nAuthorization: Bearer " + patient.token.encode())
    with socket.create_connection(("127.0.0.1", port(patient.url)), timeout=60) as connection:
        connection.sendall(allowed)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_large_body_of_nobody_gets_its_answer_and_leaves_nothing(patient: Site) -> None:
    body = b"x" * 20_000_000
    answer = httpx.post(f"{patient.url}/api/v1/images", files={"file": ("a.png", body)}, timeout=60, trust_env=False)
    assert (answer.status_code, answer.headers["Connection"]) == (401, "close")
    assert not list((patient.directory / "data" / "blobs" / "incoming").iterdir())


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked, identity",
    ],
)
def test_a_body_of_two_lengths_is_refused(patient: Site, head: bytes) -> None:
    answer = exchange(patient.url, b"POST /login HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_an_upload_in_chunks_is_taken(patient: Site) -> None:
    sent = httpx.Request("POST", patient.url, files={"file": ("a.png", factories.png(7, size_px=(600, 600)))})
    body = sent.read()
    headers = {"Authorization": f"Bearer {patient.token}", "Content-Type": sent.headers["Content-Type"]}
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    answer = httpx.post(f"{patient.url}/api/v1/images", content=pieces, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 202, answer.text
