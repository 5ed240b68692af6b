"""Uploads: what is asked, what is sent, and in how large pieces."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pytest

from client import upload
from client.http import Client, ServiceError
from client.sources import Problem, Source, Unreadable
from client.unchanged import CHANGED, UnchangedFile
from client.upload import Hashed, Sent, Uploader, batches, chunks
from core.csv_lines import Row
from tests.testing import factories

PNG = factories.png()


@dataclass(frozen=True)
class Bytes:
    """A source in memory; opening it a second time gives the first of `later`, and so on, when there are any."""

    name: str
    data: bytes
    opened: list[str]
    gone_later: bool = False
    later: tuple[bytes, ...] = ()

    def open(self) -> BinaryIO:
        if self.gone_later and self.name in self.opened:
            raise Unreadable("The file cannot be read: No such file or directory.")
        self.opened.append(self.name)
        return io.BytesIO((self.data, *self.later)[min(len(self.opened) - 1, len(self.later))])


class FakeClient:
    """Keeps what it is sent; refuses more than `largest_request` files at once."""

    def __init__(self, largest_request: int = 1000) -> None:
        self.stopping = threading.Event()
        self.known_sha256s: set[str] = set()
        self.asked: list[int] = []
        self.sent: list[list[str]] = []
        self.largest_request = largest_request
        self.failure: Exception | None = None
        self.busy = 0
        self.busiest = 0
        self._lock = threading.Lock()

    def known(self, _job_id: int, files: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        self.asked.append(len(files))
        return [{"id": 1} if sha256 in self.known_sha256s else {"missing": True} for _, sha256 in files]

    def send(self, _job_id: int, files: Sequence[tuple[str, UnchangedFile]]) -> list[dict[str, Any]]:
        with self._lock:
            self.busy += 1
            self.busiest = max(self.busy, self.busiest)
        try:
            for _, file in files:
                file.seek(0)
                while file.read(1000):
                    pass
            names = [name for name, _ in files]
            if self.failure is not None:
                raise self.failure
            if len(files) > self.largest_request:
                raise ServiceError("Too much at once.", 413)
            self.sent.append(names)
        finally:
            with self._lock:
                self.busy -= 1
        return [{"id": 1} for _ in files]


class Upload:
    """One upload of `items`, and what came of it."""

    def __init__(self, client: FakeClient, concurrency: int = 2) -> None:
        self.accepted: list[tuple[str, str]] = []
        self.rejected: list[Row] = []
        self.known: list[bool] = []
        self.told: list[Row] = []
        self.progress: list[int] = []
        self.jobs_opened = 0
        self.uploader = Uploader(
            cast(Client, client),
            self._open_job,
            concurrency=concurrency,
            max_pixels=1_000_000,
            accept=lambda file, _: self.accepted.append((file.source.name, file.sha256)),
            reject=self._reject,
            progress=lambda sent: self.progress.append(sent.done),
            tell=self._tell,
        )

    def _reject(self, row: Row, known: bool) -> None:
        self.rejected.append(row)
        self.known.append(known)

    def _tell(self, rows: Sequence[Row]) -> None:
        self.told.extend(rows)

    def _open_job(self) -> int:
        self.jobs_opened += 1
        return 7

    def run(self, *items: Source | Problem) -> int | None:
        return self.uploader.run(iter(items))

    @property
    def sent(self) -> Sent:
        return self.uploader.sent


def sources(count: int) -> Iterator[Bytes]:
    return (Bytes(f"{number}.png", PNG, []) for number in range(count))


def hashed(*sizes_bytes: int) -> list[Hashed]:
    return [Hashed(Bytes("x", b"", []), "0", size) for size in sizes_bytes]


def test_every_file_is_sent_once_in_chunks() -> None:
    client = FakeClient()
    run = Upload(client)

    assert run.run(*sources(150)) == 7

    assert client.asked == [64, 64, 22]
    assert sorted(name for names in client.sent for name in names) == sorted(f"{n}.png" for n in range(150))
    assert run.jobs_opened == 1
    assert run.progress[-1] == 150
    assert (run.sent.accepted, run.sent.uploaded, run.sent.rejected) == (150, 150, 0)


def test_a_file_for_which_the_disk_had_no_space_is_sent_again() -> None:
    class DeclaredJob(FakeClient):
        """Has space for one file a request."""

        def send(self, job_id: int, files: Sequence[tuple[str, UnchangedFile]]) -> list[dict[str, Any]]:
            full = {"error": {"code": "storage_full", "message": "No space."}}
            return [*super().send(job_id, files[:1]), *([full] * (len(files) - 1))]

    client = DeclaredJob()
    run = Upload(client, concurrency=1)

    run.run(*sources(3))

    assert client.sent == [["0.png"], ["1.png"], ["2.png"]]
    assert (run.sent.uploaded, run.rejected) == (3, [])


def test_what_the_service_has_is_not_sent() -> None:
    client = FakeClient()
    client.known_sha256s = {hashlib.sha256(PNG).hexdigest()}
    run = Upload(client)

    run.run(*sources(100), Bytes("new.png", factories.png(5), []))

    assert client.sent == [["new.png"]]
    assert (run.sent.accepted, run.sent.uploaded) == (101, 1)


def test_what_is_no_image_is_refused_here() -> None:
    client = FakeClient()
    run = Upload(client)

    job_id = run.run(
        Problem("empty", "The folder has no files."),
        Bytes("a.txt", b"hello", []),
        Bytes("b.png", b"", []),
        Bytes("c.png", factories.png_header(2000, 2000), []),
    )

    assert [(row.filename, row.state) for row in run.rejected] == [
        (name, "rejected") for name in ("empty", "a.txt", "b.png", "c.png")
    ]
    assert "a text file" in run.rejected[1].error
    assert "0 bytes" in run.rejected[2].error
    assert "megapixels" in run.rejected[3].error
    assert job_id is None
    assert (client.asked, run.jobs_opened) == ([], 0)


def test_a_file_that_vanishes_between_hashing_and_sending() -> None:
    client = FakeClient()
    run = Upload(client)

    run.run(Bytes("gone.png", PNG, [], gone_later=True), Bytes("here.png", factories.png(2), []))

    assert client.sent == [["here.png"]]
    assert [(row.filename, row.error) for row in run.rejected] == [
        ("gone.png", "The file cannot be read: No such file or directory.")
    ]


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("now", [PNG + b"more", PNG[:-1], PNG[:-1] + b"x", factories.png(3)])
def test_a_file_that_changed_since_it_was_hashed_is_sent_as_it_is_now(now: bytes) -> None:
    client = FakeClient()
    run = Upload(client, concurrency=1)

    run.run(Bytes("a.png", factories.png(1), []), Bytes("b.png", PNG, [], later=(now,)), Bytes("c.png", PNG, []))

    assert sorted(client.sent) == [["a.png", "c.png"], ["b.png"]]
    assert ("b.png", sha256_of(now)) in run.accepted
    assert (run.sent.accepted, run.sent.rejected) == (3, 0)


def test_a_file_that_goes_on_changing_fails_alone() -> None:
    client = FakeClient()
    run = Upload(client, concurrency=1)
    growing = Bytes("b.png", PNG, [], later=tuple(PNG + bytes(count) for count in range(1, 9)))

    run.run(Bytes("a.png", factories.png(1), []), growing, Bytes("c.png", PNG, []))

    assert client.sent == [["a.png", "c.png"]]
    assert [(row.filename, row.error) for row in run.rejected] == [("b.png", CHANGED)]


def test_a_file_that_became_something_else_fails_alone() -> None:
    client = FakeClient()
    run = Upload(client, concurrency=1)

    run.run(Bytes("b.png", PNG, [], later=(b"",)), Bytes("c.png", PNG, []))

    assert client.sent == [["c.png"]]
    assert [(row.filename, row.error) for row in run.rejected] == [("b.png", "The file is empty (0 bytes).")]


def test_every_accepted_file_is_told_with_its_hash() -> None:
    client = FakeClient()
    client.known_sha256s = {sha256_of(PNG)}
    run = Upload(client)

    run.run(Bytes("known.png", PNG, []), Bytes("new.png", factories.png(5), []))

    assert sorted(run.accepted) == [("known.png", sha256_of(PNG)), ("new.png", sha256_of(factories.png(5)))]


def test_a_proxy_with_a_smaller_limit() -> None:
    client = FakeClient(largest_request=3)
    run = Upload(client)

    run.run(*sources(16))

    assert max(map(len, client.sent)) <= 3
    assert run.sent.accepted == 16


def test_a_file_too_large_for_the_proxy_alone() -> None:
    client = FakeClient(largest_request=0)
    run = Upload(client)

    run.run(*sources(4))

    assert run.sent.rejected == 4
    assert run.rejected[0].error == "Too much at once."


def test_the_service_is_told_what_it_does_not_know_to_be_rejected() -> None:
    class Choosy(FakeClient):
        """Rejects what is called b.png."""

        def send(self, job_id: int, files: Sequence[tuple[str, UnchangedFile]]) -> list[dict[str, Any]]:
            wrong = {"error": {"code": "too_large", "message": "Too large."}}
            answers = super().send(job_id, files)
            return [wrong if name == "b.png" else answer for (name, _), answer in zip(files, answers, strict=True)]

    run = Upload(Choosy())

    run.run(
        Problem("empty", "The folder has no files."),
        Bytes("a.txt", b"hello", []),
        *(Bytes(f"{name}.png", factories.png(ord(name)), []) for name in "bc"),
        Bytes("gone.png", PNG, [], gone_later=True),
    )

    assert dict(zip([row.filename for row in run.rejected], run.known, strict=True)) == {
        "empty": False,
        "a.txt": False,
        "b.png": True,
        "gone.png": False,
    }
    assert sorted(row.filename for row in run.told) == ["a.txt", "empty", "gone.png"]


def test_no_more_uploads_at_once_than_asked_for() -> None:
    client = FakeClient()
    run = Upload(client, concurrency=3)

    run.run(*sources(400))

    assert client.busiest <= 3


def test_a_lasting_error_stops_it_all() -> None:
    client = FakeClient()
    client.failure = ServiceError("Job 7 was cancelled.", 409)
    run = Upload(client)

    with pytest.raises(ServiceError, match="cancelled"):
        run.run(*sources(5000))

    assert client.stopping.is_set()
    assert sum(client.asked) < 5000


def test_sources_are_taken_as_they_are_needed() -> None:
    client = FakeClient()
    client.failure = ServiceError("no", 409)
    taken: list[int] = []

    def counted() -> Iterator[Bytes]:
        for number, source in enumerate(sources(100_000)):
            taken.append(number)
            yield source

    with pytest.raises(ServiceError):
        Upload(client).uploader.run(counted())

    assert len(taken) < 1000


def test_a_request_holds_few_files_and_few_bytes() -> None:
    mib = 1024**2

    assert [len(batch) for batch in batches(hashed(*[1000] * 40))] == [16, 16, 8]
    assert [len(batch) for batch in batches(hashed(3 * mib, 3 * mib, 3 * mib, 60 * mib, 1))] == [2, 1, 1, 1]
    assert list(batches([])) == []


def test_chunks() -> None:
    assert [len(chunk) for chunk in chunks(hashed(*range(5)), 2)] == [2, 2, 1]
    assert list(chunks([], 2)) == []


def test_the_hash_is_that_of_the_whole_file() -> None:
    data = bytes(range(256)) * 10_000

    assert upload._sha256(io.BytesIO(data)) == (hashlib.sha256(data).hexdigest(), len(data))
