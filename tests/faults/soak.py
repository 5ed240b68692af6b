"""`python -m tests.faults --soak MINUTES`: uploads without end while one process after the other is killed.

Web, sweeper, two workers and Valkey as in the matrix. At the end everything runs again, a client sends once more what
got no answer, as `submit` does, and every accepted image is looked up in the database and in the results of the API.
"""

from __future__ import annotations

import csv
import io
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.session import Database
from db.states import FINAL_STATES, ImageState
from db.tables import Image, Prediction
from tests.faults.load import Load
from tests.faults.stack import Kind, Stack, running
from tests.faults.verdict import stored

PROGRESS_S = 10.0
PATIENCE_S = 180.0
"""After this without an end, an image counts as lost."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the accepted images."""

    accepted: int
    done: int
    failed: int
    lost: int
    """Without a row, or without an end."""
    twice: int
    """With more than one prediction; all are of one model here."""
    unread: int
    """Ended, but not in the results that the API gives."""

    @property
    def invariant_held(self) -> bool:
        """Whether no accepted image is lost, screened twice or missing from the results."""
        return not (self.lost or self.twice or self.unread)

    def line(self) -> str:
        return (
            f"{self.accepted} accepted, {self.done} done, {self.failed} failed,"
            f" {self.lost} lost, {self.twice} twice, {self.unread} unread"
        )


def tally(
    accepted: Collection[int], states: Mapping[int, ImageState], predictions: Mapping[int, int], listed: Collection[int]
) -> Tally:
    """`states` and `predictions` by image, of all images there are; `listed`: those that the API says have ended."""
    ended = {image_id for image_id in accepted if states.get(image_id) in FINAL_STATES}
    by_state = Counter(states[image_id] for image_id in ended)
    return Tally(
        accepted=len(accepted),
        done=by_state[ImageState.DONE],
        failed=by_state[ImageState.FAILED],
        lost=len(accepted) - len(ended),
        twice=sum(predictions.get(image_id, 0) > 1 for image_id in accepted),
        unread=len(ended - set(listed)),
    )


def run(kind: Kind, seconds: float, kill_every_s: float, seed: int, say: Say) -> Tally:
    """One soak on a service of its own."""
    rng = random.Random(seed)
    with running(kind) as stack:
        load = Load(stack, f"soak-{seed:x}", {})
        load.start()
        kills = _kill_until(time.monotonic() + seconds, kill_every_s, stack, load, rng, say)
        load.over.set()
        load.join(PATIENCE_S)
        assert not load.is_alive(), "the client waits for an answer that does not come"
        stack.settle()
        load.send_again()
        load.ledger.accepted |= stored(stack, load.ledger.unanswered)
        _wait_until_all_ended(stack.database)
        result = _count(stack, load)
    say(f"{kind.database}: {seconds:g} s, {sum(kills.values())} kills ({_as_text(kills)}): {result.line()}")
    return result


def _kill_until(
    end_s: float, kill_every_s: float, stack: Stack, load: Load, rng: random.Random, say: Say
) -> Counter[str]:
    """Kill at random until `end_s`; how often which."""
    victims: dict[str, Callable[[], None]] = {process.name: process.kill for process in stack.processes}
    victims["valkey"] = partial(_kill_valkey, stack)
    kills: Counter[str] = Counter()
    started_s = time.monotonic()
    next_kill_s, next_word_s = started_s + kill_every_s, started_s + PROGRESS_S
    while (now_s := time.monotonic()) < end_s:
        if now_s >= next_kill_s:
            name = rng.choice(sorted(victims))
            victims[name]()
            kills[name] += 1
            next_kill_s += kill_every_s
        if now_s >= next_word_s:
            say(f"  {now_s - started_s:.0f} s: {_progress(stack, load)}; killed: {_as_text(kills)}")
            next_word_s += PROGRESS_S
        time.sleep(0.1)
    return kills


def _kill_valkey(stack: Stack) -> None:
    stack.valkey.kill()
    stack.valkey.start()


def _as_text(kills: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(kills.items())) or "none"


def _progress(stack: Stack, load: Load) -> str:
    ledger = load.ledger
    try:
        waiting = f"{_unfinished(stack.database)} not ended"
    except SQLAlchemyError as error:
        waiting = type(error).__name__
    sent = f"{len(ledger.accepted)} accepted, {len(ledger.refused)} refused, {len(ledger.unanswered)} unanswered"
    return f"{sent}, {waiting}"


def _unfinished(database: Database) -> int:
    with database.read() as session:
        query = select(func.count()).select_from(Image).where(Image.state.not_in(FINAL_STATES))
        return session.scalars(query).one()


def _wait_until_all_ended(database: Database) -> None:
    """Or until PATIENCE_S are over: what has not ended then is counted as lost."""
    deadline_s = time.monotonic() + PATIENCE_S
    while _unfinished(database) and time.monotonic() < deadline_s:
        time.sleep(0.2)


def _count(stack: Stack, load: Load) -> Tally:
    with stack.database.read() as session:
        states = {row.id: row.state for row in session.execute(select(Image.id, Image.state))}
        counts = select(Prediction.image_id, func.count().label("of_it")).group_by(Prediction.image_id)
        predictions = {row.image_id: row.of_it for row in session.execute(counts)}
    accepted = load.ledger.accepted
    return tally(
        set(accepted.values()), states, predictions, [accepted[name] for name in _listed(stack) & set(accepted)]
    )


def _listed(stack: Stack) -> set[str]:
    """The names of the images that have ended, by the API; each name was sent once."""
    with stack.client() as client:
        table = client.get("/api/v1/results", params={"format": "csv"}).raise_for_status().text
    return {row["filename"] for row in csv.DictReader(io.StringIO(table)) if row["state"] in FINAL_STATES}
