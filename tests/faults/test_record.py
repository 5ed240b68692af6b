"""A pass that was interrupted goes on where it stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.__main__ import parse, plan
from tests.faults.record import Record
from tests.faults.report import Outcome
from tests.faults.rows import ROWS
from tests.faults.verdict import Verdict

ROW = next(row for row in ROWS if row.databases == ("sqlite", "postgresql"))


def test_a_record_gives_back_what_was_added(tmp_path: Path) -> None:
    outcomes = [
        Outcome("kill", "now", "sqlite", 7, Verdict(images=3, lost=1, recovery_s=2.5, problems=["one is lost"]), "log"),
        Outcome("kill", "later", "postgresql", 8),
    ]
    record = Record(tmp_path / "runs.jsonl")
    assert record.read() == []
    for outcome in outcomes:
        record.add(outcome)
    assert Record(tmp_path / "runs.jsonl").read() == outcomes


def test_without_a_file_nothing_is_recorded() -> None:
    record = Record(None)
    record.add(Outcome("kill", "now", "sqlite", 7))
    assert record.read() == []


def test_the_databases_of_a_row_take_turns() -> None:
    tasks = plan(parse(["--runs", "5"]), [ROW], 1, Counter())
    assert [task.kind.database for task in tasks] == ["sqlite", "postgresql", "sqlite", "postgresql", "sqlite"]
    assert len({task.seed for task in tasks}) == 5


def test_runs_on_record_are_not_done_again() -> None:
    whole = list(plan(parse(["--runs", "5"]), [ROW], 1, Counter()))
    rest = list(plan(parse(["--runs", "5"]), [ROW], 1, Counter({ROW.name: 3})))
    assert rest == whole[3:]


def test_a_row_without_the_database_asked_for_is_left_out() -> None:
    only_postgresql = next(row for row in ROWS if row.databases == ("postgresql",))
    assert not plan(parse(["--runs", "5", "--database", "sqlite"]), [only_postgresql], 1, Counter())
