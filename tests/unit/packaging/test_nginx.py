"""The nginx example of docs/deployment.md, run by nginx in front of a small server."""

from __future__ import annotations

import http.server
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from launcher.address import reserve
from tests.testing.absent import absent
from tests.testing.polling import wait_until

HEADERS = ("Strict-Transport-Security", "Permissions-Policy", "Cross-Origin-Opener-Policy")
UPLOADS = ("/", "/api/v1/images", "/api/v1/jobs/17/images")


class Behind(http.server.BaseHTTPRequestHandler):
    """Stands for the web process: sends the headers itself, and what it heard of the client."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = f"{self.headers['Host']} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        for name in HEADERS:
            self.send_header(name, "from the service")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def example(root: Path) -> str:
    (text,) = re.findall(r"^```nginx\n(.*?)^```", (root / "docs/deployment.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(text)


def configure(text: str, folder: Path, port: int, behind: int) -> Path:
    """The example with this machine's ports and certificate, inside what nginx needs around a file of conf.d."""
    for written, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{behind}"),
        ("/etc/ssl/", f"{folder}/"),
    ):
        assert written in text
        text = text.replace(written, here)
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\nmaster_process off;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{text}}}\n"
    )
    return file


@pytest.fixture(scope="module")
def proxy(root: Path) -> Iterator[str]:
    """The address of nginx with the example's configuration."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
    if nginx is None:
        absent("nginx is not installed")
    with tempfile.TemporaryDirectory(prefix="pns-nginx-") as name, serving() as behind:
        folder = Path(name)
        certificate(folder)
        port = reserve("127.0.0.1", 0)
        file = configure(example(root), folder, port, behind)
        command = [nginx, "-c", str(file), "-p", name, "-e", f"{name}/error.log"]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(f"https://127.0.0.1:{port}/login"), timeout_s=30)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=xray.example.org",
         "-keyout", str(folder / "xray.key"), "-out", str(folder / "xray.pem")],
        check=True, capture_output=True,
    )  # fmt: skip


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def client(base_url: str = "") -> httpx.Client:
    return httpx.Client(base_url=base_url, verify=trusting(), trust_env=False, timeout=30)


def answers(url: str) -> bool:
    with client() as asking:
        try:
            return asking.get(url).is_success
        except httpx.TransportError:
            return False


@pytest.mark.parametrize("path", ["/", "/jobs/1", "/metrics"])
def test_every_answer_has_each_header_once_and_from_nginx(proxy: str, path: str) -> None:
    with client(proxy) as asking:
        headers = asking.get(path).headers
    for name in HEADERS:
        assert headers.get_list(name) == [headers[name]], name
        assert headers[name] != "from the service"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_monitoring_stays_inside(proxy: str, path: str) -> None:
    with client(proxy) as asking:
        assert asking.get(path).status_code == 404


def test_the_service_learns_the_address_of_the_client_alone(proxy: str) -> None:
    with client(proxy) as asking:
        said = asking.get("/", headers={"Host": "xray.example.org", "X-Forwarded-For": "6.6.6.6"}).text
    assert said == "xray.example.org 127.0.0.1"


@pytest.mark.parametrize("path", UPLOADS)
def test_uploads_may_be_large(proxy: str, path: str) -> None:
    with client(proxy) as asking:
        assert asking.post(path, content=bytes(3_000_000)).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/api/v1/jobs", "/images/1/review", "/api/v1/jobs/17/images/known"])
def test_nothing_else_may(proxy: str, path: str) -> None:
    with client(proxy) as asking:
        assert asking.post(path, content=bytes(3_000_000)).status_code == 413


def test_sign_ins_of_one_address_are_limited(proxy: str) -> None:
    with client(proxy) as asking:
        statuses = [asking.post("/login").status_code for _ in range(60)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_limits_of_the_example_are_those_of_the_service(root: Path) -> None:
    from core.settings import Settings

    gigabytes = re.findall(r"client_max_body_size (\d+)g;", example(root))
    assert [int(number) * 1024**3 >= Settings().limits.max_request_bytes for number in gigabytes] == [True]
