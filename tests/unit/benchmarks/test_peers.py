"""The client of the peers, and the check that their work is real."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.client import Client, Refused, Request, multipart
from benchmarks.images import Images
from benchmarks.peers import catalogue, environment, rounds
from benchmarks.rows import Setup

PEER = catalogue.BY_NAME["litserve"]
SETUP = Setup(Images("made", (b"\xff\xd8one", b"\xff\xd8two")), say=lambda _: None)


class Echo(BaseHTTPRequestHandler):
    """Answers 0.25 for `one` and 0.75 for the others; 404 elsewhere than /predict."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"probability": 0.25 if b"one" in body else 0.75}).encode()
        self.send_response(200 if self.path == "/predict" else 404)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Says nothing."""


@pytest.fixture
def client() -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = Client(f"http://127.0.0.1:{server.server_address[1]}")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_right_answers_are_a_rate(client: Client) -> None:
    work = rounds.work(PEER, SETUP, 6, "x", [0.25, 0.75])

    assert rounds.images_per_s(PEER, client, work, concurrency=3) > 0


def test_a_wrong_answer_stops_the_measurement(client: Client) -> None:
    work = rounds.work(PEER, SETUP, 6, "x", [0.25, 0.72])

    with pytest.raises(rounds.WrongAnswer, match=r"LitServe says 0\.7500 of image 1; it should be 0\.7200"):
        rounds.images_per_s(PEER, client, work, concurrency=3)


def test_answers_come_in_the_order_of_the_requests(client: Client) -> None:
    sent = [multipart("/predict", "file", [("x", b"one" if n % 3 else b"two")], (n,)) for n in range(9)]

    answers = client.send_all(sent, concurrency=4)

    assert [answer.numbers for answer in answers] == [(n,) for n in range(9)]
    assert [PEER.probability(answer.body) for answer in answers] == [0.25 if n % 3 else 0.75 for n in range(9)]


def test_what_is_no_success_is_an_error(client: Client) -> None:
    with pytest.raises(Refused, match="404"):
        client.send(Request("/elsewhere", b"", {}))


@pytest.mark.parametrize("body", [b'{"probability": 0.5}', b"[0.5]"])
def test_peers_answer_with_an_object_or_a_list(body: bytes) -> None:
    assert PEER.probability(body) == 0.5


def test_the_environment_is_made_anew_when_its_requirements_change(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("ray>=2\n")
    two.write_text("torch==2\n")
    before = environment.fingerprint(one, two)

    one.write_text("ray>=3\n")

    assert environment.fingerprint(one, two) != before
