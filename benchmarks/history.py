"""`python -m benchmarks.history --rows 1000000`: do pages, API and queue stay quick over a large archive?

Fills a database of 1,000 images, one of a hundredth of `--rows` and one of all of them, on SQLite and on a PostgreSQL
of its own (in memory, without fsync), then asks the real Flask application through its test client, in this process:
each request alternately of the small and the large database, so that other load on the machine hits both alike. The
small database often has less than a page of what is asked for: the ratio is to its full first page if that is slower.
Then claims and finishes batches of 16 at 1,000 queued images and at a tenth of `--rows`, by the worker's functions.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import parse_qsl, urlencode

import fakeredis
from flask.testing import FlaskClient
from pydantic import SecretStr

from benchmarks.archive import MODELS, RARE_NAME, Archive, fill
from core import logs
from core.queue import make_celery
from core.settings import Log, Security, Settings, Storage
from db import claims, migrate, outcomes, stores
from db.listing.order import Sort
from db.outcomes import MODEL_DIGITS, Scored
from db.session import Database, now
from db.states import Decision
from storage.local import LocalBlobStore
from tests.testing import postgres
from web.app import create_app
from web.backends import Backends

SMALL = 1_000
BATCH = 16
REPEATS = 40
CASE_S = 20.0
"""A case that takes longer is measured with fewer repeats, five at least."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What each request took, at the small and the large size."""

    database: str
    case: str
    small_ms: tuple[float, ...]
    large_ms: tuple[float, ...]
    full_page_p95_ms: float = 0

    @property
    def ratio(self) -> float:
        """Of the 95th percentiles."""
        return p95(self.large_ms) / max(p95(self.small_ms), self.full_page_p95_ms)


class Site:
    """The application over one filled database."""

    def __init__(self, archive: Archive, database: Database, client: FlaskClient) -> None:
        self.archive = archive
        self.database = database
        self.client = client

    def headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {getattr(self.archive, f'{who}_token')}"}

    def address(self, who: str, path: str) -> str:
        """As a browser has it once a form was sent: a page takes a key in the place of a text."""
        place, _, query = path.partition("?")
        fields = dict(parse_qsl(query))
        text = fields.pop("filename", "") or fields.pop("who", "")
        if not text or place.startswith("/api/"):
            return path
        answer = self.client.post("/api/v1/searches", json={"filename": text}, headers=self.headers(who))
        return f"{place}?{urlencode(fields | {'search': answer.get_json()['search']})}"

    def get(self, who: str, path: str) -> None:
        answer = self.client.get(path, headers=self.headers(who))
        answer.get_data()
        if answer.status_code != 200:
            raise SystemExit(f"GET {path} answered {answer.status_code}: {answer.get_data(as_text=True)[:300]}")

    def first_bytes(self, path: str) -> None:
        """Until the first piece of a streamed answer; the rest is not asked for."""
        answer = self.client.get(path, headers=self.headers("admin"), buffered=False)
        next(iter(answer.response))
        answer.close()


def filters() -> dict[str, dict[str, str]]:
    """By name: each filter of the history page, and combinations of them."""
    today = datetime.now(UTC).date()

    def days(first: int, last: int) -> dict[str, str]:
        return {"from": str(today - timedelta(first)), "to": str(today - timedelta(last))}

    return {
        "nothing": {},
        "common name": {"filename": "scan"},
        "rare name": {"filename": RARE_NAME},
        "name of nothing": {"filename": "xylophone"},
        "two letters": {"filename": "AP"},
        "pneumonia": {"decision": "pneumonia"},
        "refused": {"decision": "refused"},
        "lateral": {"view": "lateral"},
        "AP, pneumonia": {"view": "ap", "decision": "pneumonia"},
        "AP, old year": {"view": "ap"} | days(720, 360),
        "done": {"state": "done"},
        "failed": {"state": "failed"},
        "cancelled": {"state": "cancelled"},
        "queued": {"state": "queued"},
        "running (none)": {"state": "running"},
        "last week": days(7, 0),
        "one old week": days(600, 593),
        "one old year": days(720, 360),
        "before the first": days(2000, 1900),
        "refused, old year": {"decision": "refused"} | days(720, 360),
        "failed, old week": {"state": "failed"} | days(600, 593),
        "queued, old year": {"state": "queued"} | days(720, 360),
        "done, pneumonia, old week": {"state": "done", "decision": "pneumonia"} | days(600, 593),
        "failed and refused (none)": {"state": "failed", "decision": "refused"},
        "common name, refused": {"filename": "scan", "decision": "refused"},
        "common name, failed, old year": {"filename": "scan", "state": "failed"} | days(720, 360),
        "rare name, pneumonia": {"filename": RARE_NAME, "decision": "pneumonia"},
        "rare name, last week": {"filename": RARE_NAME} | days(7, 0),
        "two words (rare together)": {"filename": "scan-00000"},
    }


def worklists() -> dict[str, dict[str, str]]:
    """By name: orders and conditions of the worklist. Of some, the few images that match lie at the end of an order."""
    today = datetime.now(UTC).date()
    orders = {sort.value: {"sort": sort.value} for sort in Sort}
    suspicion, name = orders["suspicion"], orders["name"]
    half_a_percent = {"least": "0.2", "most": "0.205"}
    return orders | {
        "suspicion, normal": suspicion | {"decision": "normal"},
        "suspicion, refused": suspicion | {"decision": "refused"},
        "suspicion, failed": suspicion | {"state": "failed"},
        "suspicion, lateral": suspicion | {"view": "lateral"},
        "suspicion, common name": suspicion | {"filename": "scan"},
        "suspicion, rare name": suspicion | {"filename": RARE_NAME},
        "suspicion, last week": suspicion | {"from": str(today - timedelta(7))},
        "suspicion, job of two": suspicion | {"job": "1"},
        "suspicion, few probable": suspicion | half_a_percent,
        "suspicion, older model": suspicion | {"model": MODELS[0][:MODEL_DIGITS]},
        "suspicion, reviewer": suspicion | {"reviewer": "2"},
        "suspicion, assigned": suspicion | {"assignee": "2"},
        "name, failed": name | {"state": "failed"},
        "name, refused": name | {"decision": "refused"},
        "name, assigned": name | {"assignee": "2"},
        "assigned": {"assignee": "2"},
        "reviewer": {"reviewer": "2"},
        "few probable": half_a_percent,
        "older model": {"model": MODELS[0][:MODEL_DIGITS]},
    }


def reviews(place: str) -> dict[str, dict[str, str]]:
    """Conditions on reviews, which the page has in one field and the API in two."""
    names = {"unreviewed": "no", "reviewed": "yes"}
    of_page: dict[str, dict[str, str]] = {word: {"review": value} for word, value in names.items()}
    of_api: dict[str, dict[str, str]] = {word: {"reviewed": value} for word, value in names.items()}
    of_page["disagreed"], of_api["disagreed"] = {"review": "disagree"}, {"opinion": "disagree"}
    conditions = of_page if place == "/history" else of_api
    return {
        f"{sort}, {word}": {"sort": sort} | condition
        for sort in ("newest", "suspicion", "name")
        for word, condition in conditions.items()
    }


def requests(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """(case, who, path)."""
    deep = {"cursor": str(archive.old_image)}
    for place in ("/history", "/api/v1/results"):
        short = place.removeprefix("/api/v1")
        for name, query in (filters() | worklists() | reviews(place)).items():
            query = percent(query) if place == "/history" else query
            yield f"{short}: {name}", "admin", f"{place}?{urlencode(query)}"
        yield f"{short}: deep", "admin", f"{place}?{urlencode(deep)}"
        yield f"{short}: deep, pneumonia", "admin", f"{place}?{urlencode(deep | {'decision': 'pneumonia'})}"
        yield f"{short}: clinician", "clinician", place
        for who in ("operator", "idle_operator"):
            for name in ("nothing", "refused", "failed", "common name", "rare name", "one old week"):
                yield f"{short}: own of {who}, {name}", who, f"{place}?{urlencode(filters()[name])}"
    big, queued = archive.big_job, archive.queued_job
    yield from ((f"{path}", "admin", path) for path in ("/", "/jobs", "/api/v1/jobs", "/status", "/metrics", "/audit"))
    yield "/audit: one actor", "admin", "/audit?who=user-3"
    yield "/audit: one image", "admin", f"/audit?kind=image&number={archive.rows // 2 // 4 * 4}"
    old = filters()["one old week"]
    yield "/audit: one old week", "admin", f"/audit?{urlencode(old)}"
    yield "/audit: exports, old week", "admin", f"/audit?{urlencode(old | {'action': 'exported'})}"
    yield "/images/{id}", "admin", f"/images/{archive.rows // 2}"
    for job, name in ((big, "big"), (queued, "queued")):
        yield f"{name} job, progress as JSON", "admin", f"/api/v1/jobs/{job}"
        yield f"{name} job, page", "admin", f"/jobs/{job}"
        yield f"{name} job, images", "admin", f"/api/v1/jobs/{job}/images"
    for show in ("failed", "refused", "running"):
        yield f"big job, page of {show}", "admin", f"/jobs/{big}?show={show}"
    yield "big job, failed images", "admin", f"/api/v1/jobs/{big}/images?state=failed"


def percent(query: dict[str, str]) -> dict[str, str]:
    """Probabilities as the page has them."""
    return query | {name: f"{100 * float(query[name]):g}" for name in ("least", "most") if name in query}


def timed(do: Callable[[], None]) -> float:
    started = time.perf_counter()
    do()
    return (time.perf_counter() - started) * 1e3


def compare(
    name: str, case: str, small: Callable[[], None], large: Callable[[], None], repeats: int = REPEATS
) -> Figure:
    """Both in turn, after one round that is not counted."""
    small()
    large()
    few: list[float] = []
    many: list[float] = []
    deadline_s = time.monotonic() + CASE_S
    while len(few) < repeats and (len(few) < 5 or time.monotonic() < deadline_s):
        few.append(timed(small))
        many.append(timed(large))
    return Figure(name, case, tuple(few), tuple(many))


def p95(values: Sequence[float]) -> float:
    """Inside what was measured: by default `quantiles` goes beyond the largest of less than 20."""
    return quantiles(values, n=20, method="inclusive")[-1]


def work_off(database: Database, model: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """Claim of a batch, and its finish, by the functions of the worker, each a transaction."""
    held: list[claims.Claim] = []

    def claim() -> None:
        with database.begin() as session:
            held[:] = claims.claim(session, worker="bench", limit=BATCH, lease_s=60, now=now(session))
        if len(held) != BATCH:
            raise SystemExit(f"A claim gave {len(held)} images of {BATCH}: too few are queued for this benchmark.")

    def finish() -> None:
        scored = [Scored(one, 0.7, Decision.PNEUMONIA, 0.4, None, b"\0" * 98) for one in held]
        with database.begin() as session:
            outcomes.finish(session, scored, model_sha256=model, threshold=0.5, worker="bench", now=now(session))

    return claim, finish


def compare_work(name: str, small: Site, large: Site, repeats: int) -> Iterator[Figure]:
    """At 1,000 queued images and at many; only as often as there are full batches in the smaller queue."""
    both = [work_off(site.database, MODELS[1]) for site in (small, large)]
    full_batches = min(small.archive.queued, large.archive.queued) // BATCH
    times: list[list[float]] = [[], [], [], []]
    for _ in range(min(repeats, full_batches)):
        for place, (claim, finish) in enumerate(both):
            times[place].append(timed(claim))
            times[place + 2].append(timed(finish))
    yield Figure(name, "claim 16", tuple(times[0]), tuple(times[1]))
    yield Figure(name, "finish 16", tuple(times[2]), tuple(times[3]))


def export(site: Site) -> tuple[int, float]:
    """Read all results as CSV: the lines, and by how many megabytes the process grew meanwhile."""
    path = "/api/v1/results?format=csv"
    site.first_bytes(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = site.client.get(path, headers=site.headers("admin"), buffered=False)
    lines = sum(piece.count(b"\n") for piece in answer.iter_encoded())
    return lines, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@contextmanager
def site(url: str, rows: int, directory: Path) -> Iterator[Site]:
    print(f"declared {rows:,} images", flush=True)
    migrate.upgrade(url)
    archive = fill(url, rows, lambda line: print(line, flush=True))
    settings = Settings(
        storage=Storage(data_dir=directory / "data", database_url=SecretStr(url)),
        security=Security(secret_key=SecretStr("only for this benchmark")),
    )
    database = Database(url)
    store = LocalBlobStore(directory / "data" / "blobs")
    stores.adopt(database, store)  # `settle` would look for the images, of which no bytes are there
    backends = Backends(
        settings=settings,
        database=database,
        store=store,
        celery=make_celery(settings, broker_url="memory://"),
        broker=fakeredis.FakeRedis(),
    )
    yield Site(archive, database, create_app(settings, backends).test_client())
    database.dispose()


def measure(
    name: str, rows: int, only: str, stack: ExitStack, *, with_export: bool, repeats: int = REPEATS
) -> Iterator[Figure]:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pns-history-")))
    server = stack.enter_context(postgres.serve()) if name == "postgresql" else None

    def opened(size: int) -> Site:
        url = server.new_database() if server else f"sqlite:///{directory / f'{size}.db'}"
        return stack.enter_context(site(url, size, directory / str(size)))

    small, middle, large = opened(SMALL), opened(max(SMALL * 10, rows // 100)), opened(rows)
    full_page_p95_ms: dict[str, float] = {}
    for (case, who, path), (_, _, large_path) in zip(requests(small.archive), requests(large.archive), strict=True):
        place = case.partition(":")[0]
        if only in case or case.endswith(": nothing"):
            of_small, of_large = small.address(who, path), large.address(who, large_path)
            figure = compare(name, case, lambda: small.get(who, of_small), lambda: large.get(who, of_large), repeats)  # noqa: B023
            full = full_page_p95_ms.setdefault(place, p95(figure.small_ms))
            yield replace(figure, full_page_p95_ms=full)
    if only in "CSV":
        csv = "/api/v1/results?format=csv"
        yield compare(name, "CSV, first bytes", lambda: small.first_bytes(csv), lambda: large.first_bytes(csv), repeats)
    if with_export:
        lines, growth_mb = export(large)
        print(f"{name}: {lines:,} lines of CSV, the process grew by {growth_mb:.0f} MB")
    if only in "claim finish":
        yield from compare_work(name, middle, large, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="images in the large database")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--only", default="", help="the cases whose name has this in it")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each request, 5 at least")
    parser.add_argument("--export", action="store_true", help="also read everything as CSV and tell the memory")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    logs.configure(Settings(log=Log(level="WARNING")), "benchmark")
    names = ["sqlite", "postgresql"] if arguments.database == "both" else [arguments.database]
    figures: list[Figure] = []
    for name in names:
        with ExitStack() as stack:
            for figure in measure(
                name, arguments.rows, arguments.only, stack, with_export=arguments.export, repeats=arguments.repeats
            ):
                figures.append(figure)
                print(line(figure), flush=True)
    worst = max(figures, key=lambda figure: figure.ratio)
    print(f"largest ratio of 95th percentiles: {worst.ratio:.2f} ({worst.database}, {worst.case})")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([asdict(figure) for figure in figures]) + "\n", encoding="utf-8")


def line(figure: Figure) -> str:
    return (
        f"{figure.database:10}  {figure.case:48}  {median(figure.small_ms):8.1f} {p95(figure.small_ms):8.1f}  "
        f"{median(figure.large_ms):8.1f} {p95(figure.large_ms):8.1f} ms  x {figure.ratio:.2f}"
    )


if __name__ == "__main__":
    main()
