"""What is wrong with the service, found from its facts alone. No Flask and no database here.

Each finding has a code that machines may rely on, one sentence that is the same wherever it is shown, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.errors import StorageForeign, StorageMissing
from core.plural import counted
from core.settings import Settings
from db.backlog import Backlog
from db.stores import TODO as STORE_TODO
from web.health.codes import ERRORS, Code, Severity
from web.health.facts import Facts, Rows, WorkerFacts
from web.quantities import duration, is_are

STUCK = timedelta(minutes=2)
"""While nothing runs, an image that waits longer than this is stuck: any worker claims the first one within seconds."""
SLOW = timedelta(hours=1)
JUST_GONE = timedelta(minutes=10)
SWEEPER_GONE_S = 30.0
CHANGE_WITHIN = timedelta(seconds=30)
"""Workers change to a model that was just deployed within this time: a heartbeat, two batches, and loading it."""
NEARLY_FULL_DISK = 4
"""Times `min_free_disk_bytes`, below which uploads are turned away."""
NEARLY_FULL_QUEUE = 0.9
MANY_FAILURES = 3
FAILURE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    code: Code
    what: str
    todo: str

    @property
    def severity(self) -> Severity:
        return Severity.ERROR if self.code in ERRORS else Severity.WARNING


def find(facts: Facts) -> list[Finding]:
    """What an operator has to know, errors first; empty if all is well."""
    findings = [*_parts(facts), *_disk(facts)]
    if facts.rows is not None:
        findings += [
            *_queue(facts.settings, facts.rows.backlog),
            *_workers(facts.rows),
            *_sweeper(facts.settings, facts.rows),
        ]
        if facts.rows.alive and not any(finding.code in ERRORS for finding in findings):
            findings += _waiting(facts.rows)  # else the reason why they wait is named already
        findings += [*_models(facts, facts.rows), *_failing(facts.rows.backlog)]
    return sorted(findings, key=lambda finding: finding.code not in ERRORS)


def pace(rows: Rows) -> str:
    """How busy the service is, in one sentence."""
    alive = len(rows.alive)
    working = f"{counted(alive, 'worker')} {is_are(alive)} running"
    if not rows.backlog.queued:
        return f"{working} and nothing waits."
    return f"{working}; {counted(rows.backlog.queued, 'image')} waiting. {_forecast(rows)}".strip()


def _forecast(rows: Rows) -> str:
    if not rows.images_per_s:
        return ""
    left = duration(timedelta(seconds=rows.backlog.queued / rows.images_per_s))
    return f"At the present pace ({rows.images_per_s:,.1f} images a second) that takes about {left}."


def _parts(facts: Facts) -> Iterator[Finding]:
    if facts.rows is None:
        todo = "Start PostgreSQL, or correct PNEUMOSCREEN_DATABASE_URL. Nothing is taken or shown until it answers."
        yield Finding(Code.DATABASE_DOWN, "The database does not answer.", todo)
    if not facts.broker:
        yield Finding(
            Code.BROKER_DOWN,
            "The broker does not answer, or takes no messages.",
            "Uploads are kept, but workers are woken late or not at all. Start Redis or Valkey, give it memory if its "
            "`maxmemory` is reached, or correct PNEUMOSCREEN_REDIS_URL; what waits is then picked up by itself.",
        )
    error = facts.storage_error
    if isinstance(error, StorageMissing):
        yield Finding(Code.STORAGE_MISSING, error.message, STORE_TODO)
    elif isinstance(error, StorageForeign):
        yield Finding(Code.STORAGE_FOREIGN, error.message, STORE_TODO)
    elif error is not None:
        todo = "Nothing is taken until it does. Look at the disk, the network share or the object storage behind it."
        yield Finding(Code.STORAGE_DOWN, error.message, todo)


def _disk(facts: Facts) -> Iterator[Finding]:
    free, limit = facts.free_bytes, facts.settings.limits.min_free_disk_bytes
    if free is None or free >= NEARLY_FULL_DISK * limit:
        return
    left = f"{free / 1e9:.1f} GB"
    room = "Delete jobs that are no longer needed, set PNEUMOSCREEN_RETENTION_DAYS, or enlarge the disk."
    if free < limit:
        what = f"The disk of the image storage is full: {left} left, and uploads have to leave {limit / 1e9:.1f} GB."
        yield Finding(Code.DISK_FULL, what, f"Uploads are turned away. {room}")
    else:
        what = f"The disk of the image storage is nearly full: {left} left."
        yield Finding(Code.DISK_NEARLY_FULL, what, f"At {limit / 1e9:.1f} GB uploads are turned away. {room}")


def _queue(settings: Settings, backlog: Backlog) -> Iterator[Finding]:
    limit = settings.queue.max_queued_images
    bulk_limit = limit - settings.queue.reserved_queue_images
    todo = "Add workers, or raise PNEUMOSCREEN_MAX_QUEUED_IMAGES; senders wait and go on by themselves."
    if backlog.queued >= limit:
        yield Finding(Code.QUEUE_FULL, f"The queue is full: {counted(backlog.queued, 'image')} waiting.", todo)
    elif backlog.queued >= NEARLY_FULL_QUEUE * bulk_limit:
        what = f"The queue is nearly full: {counted(backlog.queued, 'image')} of {limit:,} waiting."
        yield Finding(
            Code.QUEUE_NEARLY_FULL, what, f"From {bulk_limit:,} on only images sent as “now” are taken. {todo}"
        )


def _workers(rows: Rows) -> Iterator[Finding]:
    alive = rows.alive
    if not alive:
        yield _no_worker(rows)
        return
    paused = [worker for worker in alive if worker.paused_reason]
    if paused:
        code = Code.WORKERS_PAUSED if len(paused) == len(alive) else Code.WORKER_PAUSED
        names = ", ".join(worker.name for worker in paused)
        verb = "screens" if len(paused) == 1 else "screen"
        what = f"{len(paused)} of {counted(len(alive), 'worker')} {verb} nothing: {paused[0].paused_reason}"
        yield Finding(code, what, f"Look at the image storage on the host of {names}. It goes on by itself.")
    fewer = _fewer(rows.workers, alive)
    if fewer and rows.backlog.queued:
        what = f"{counted(fewer, 'worker')} fewer than a moment ago, and images wait."
        todo = "Their images went back to the queue. The log of the last one says why it stopped; start it again."
        yield Finding(Code.WORKERS_GONE, what, todo)


def _fewer(workers: Sequence[WorkerFacts], alive: Sequence[WorkerFacts]) -> int:
    """How many fewer workers run than just before one stopped, counting only hosts that have no worker left."""
    hosts = {worker.host for worker in alive}
    gone = [w for w in workers if not w.alive and w.host not in hosts and w.silent_for < JUST_GONE]
    then = [
        sum(w.started_at <= lost.seen_at and (w.alive or w.seen_at >= lost.seen_at) for w in workers) for lost in gone
    ]
    return max(0, max(then, default=0) - len(alive))


def _no_worker(rows: Rows) -> Finding:
    last = min(rows.workers, key=lambda worker: worker.silent_for, default=None)
    seen = f"The last worker, {last.name}, was seen {last.seen} ago: its log says why it stopped. " if last else ""
    waiting = f"{counted(rows.backlog.queued, 'image')} waiting. " if rows.backlog.queued else ""
    what = "No worker is running: uploads are kept and will be screened when one starts."
    return Finding(Code.NO_WORKER, what, f"{waiting}{seen}Start one with: pneumoscreen worker")


def _sweeper(settings: Settings, rows: Rows) -> Iterator[Finding]:
    seen_at = rows.sweeper_seen_at
    patience_s = max(SWEEPER_GONE_S, 5 * settings.queue.sweep_interval_s)
    if seen_at is not None and (rows.at - seen_at).total_seconds() < patience_s:
        return
    since = f" for {duration(rows.at - seen_at)}" if seen_at else ""
    yield Finding(
        Code.SWEEPER_STOPPED,
        f"The sweeper has not been seen{since}.",
        "Images of a worker that dies stay where they are until it runs. Start it with: pneumoscreen sweeper",
    )


def _waiting(rows: Rows) -> Iterator[Finding]:
    waited = rows.at - (rows.backlog.oldest_queued_at or rows.at)
    what = f"The oldest queued image has waited for {duration(waited)}"
    if waited > STUCK and not rows.backlog.running:
        todo = "Look at the logs of the workers and of the sweeper; then restart the workers."
        yield Finding(Code.STUCK, f"{what}, and none is running.", todo)
    elif waited > SLOW:
        yield Finding(Code.SLOW, f"{what}.", f"{_forecast(rows)} Add workers if that is too slow.".strip())


def _models(facts: Facts, rows: Rows) -> Iterator[Finding]:
    """At most one kind of finding: each explains those that are checked after it."""
    deployed = rows.deployed_sha256
    failing = [worker for worker in rows.alive if worker.model_problem]
    if not facts.has_checkpoint:
        what = f"The checkpoint of the deployed model {deployed[:12]} is missing."
        if not deployed:
            what = "The checkpoint that comes with this release, and is deployed, is damaged."
        todo = (
            "Running workers go on with the one they have; none can start. "
            "Import it again: pneumoscreen model import FILE"
        )
        yield Finding(Code.MODEL_UNREADABLE, what, todo)
    elif failing:
        what = f"The worker {failing[0].name} runs another model than the deployed one. {failing[0].model_problem}"
        if len(failing) > 1:
            what = f"{len(failing)} workers run another model than the deployed one. {failing[0].model_problem}"
        todo = "It tries again by itself. Import the checkpoint again, or activate another: pneumoscreen model activate"
        yield Finding(Code.MODEL_NOT_LOADED, what, todo)
    elif rows.deployed_at is None or rows.at - rows.deployed_at > CHANGE_WITHIN:
        yield from _other_models(rows)


def _other_models(rows: Rows) -> Iterator[Finding]:
    running = {worker.sha256: worker.model for worker in rows.alive}
    if len(running) > 1:
        names = " and ".join(f"{name} ({sha256[:12]})" for sha256, name in sorted(running.items()))
        what = f"Workers run {len(running)} different models: {names}."
        todo = "Each shall run the deployed one: restart those that run another, or look at their logs."
        yield Finding(Code.MIXED_MODELS, what, todo)
    if running and rows.deployed_sha256 not in running:
        what = f"No worker runs the deployed model {rows.deployed_sha256[:12]}."
        todo = "Restart the workers, or look at their logs. Or activate the model they run: pneumoscreen model activate"
        yield Finding(Code.MODEL_UNUSED, what, todo)


def _failing(backlog: Backlog) -> Iterator[Finding]:
    finished = backlog.done_last_hour + backlog.failed_last_hour
    if backlog.failed_last_hour >= max(MANY_FAILURES, FAILURE_SHARE * finished):
        what = f"{backlog.failed_last_hour:,} of {counted(finished, 'image')} failed in the last hour."
        todo = "See them under History, state “failed”: each says why. One reason on all points to one cause."
        yield Finding(Code.MANY_FAILURES, what, todo)
