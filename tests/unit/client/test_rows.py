"""Rows out of the API's answers, and their counts."""

from __future__ import annotations

from typing import Any

from client.rows import LISTED, REJECTED, Tally, from_api, without_image
from core.csv_lines import Row

IMAGE: dict[str, Any] = {"id": 3, "filename": "a.png", "sha256": "a" * 64, "state": "queued"}


def test_an_image_with_a_prediction() -> None:
    prediction = {"probability": 0.75, "decision": "pneumonia", "model": {"name": "m", "sha256": "b" * 64}}

    row = from_api(IMAGE | {"state": "done", "prediction": prediction, "error": None}, "x/a.png")

    assert row == Row("x/a.png", "done", "a" * 64, 0.75, "pneumonia", f"m@{'b' * 12}", "", 3)


def test_a_refused_image_brings_its_reason() -> None:
    prediction = {"probability": 0.75, "decision": "refused", "reason": "Odd.", "model": {"name": "m", "sha256": "b"}}

    row = from_api(IMAGE | {"state": "done", "prediction": prediction}, "a.png")

    assert (row.decision, row.reason) == ("refused", "Odd.")


def test_what_the_image_shows_is_told_where_the_service_tells_it() -> None:
    prediction = {"probability": 0.75, "decision": "refused", "kind": "lateral", "view": "lateral"} | {
        "population": "child"
    }

    row = from_api(IMAGE | {"state": "done", "prediction": prediction}, "a.png")

    assert (row.kind, row.view, row.population) == ("lateral", "lateral", "child")
    assert (from_api(IMAGE, "a.png").kind, from_api(IMAGE, "a.png").view) == ("", "")


def test_an_image_with_an_error() -> None:
    row = from_api(
        IMAGE | {"state": "failed", "prediction": None, "error": {"code": "x", "message": "Damaged."}}, "a.png"
    )

    assert row == Row("a.png", "failed", "a" * 64, error="Damaged.", image_id=3)


def test_an_image_that_has_neither_yet() -> None:
    assert from_api(IMAGE, "a.png") == Row("a.png", "queued", "a" * 64, image_id=3)


def test_an_image_that_is_gone_is_a_failure() -> None:
    row = without_image("a.png")
    assert (row.filename, row.state) == ("a.png", "failed")
    assert "send it again" in row.error


def test_counts_by_decision_and_state() -> None:
    tally = Tally()
    for row in (
        Row("1", "done", decision="normal"),
        Row("2", "done", decision="normal"),
        Row("3", "done", decision="pneumonia"),
        Row("4", "failed"),
        Row("5", REJECTED),
        Row("6", "cancelled"),
    ):
        tally.add(row)

    assert tally.counts == {"normal": 2, "pneumonia": 1, "failed": 1, "rejected": 1, "cancelled": 1}
    assert tally.failed == 3
    assert [row.filename for row in tally.failures] == ["4", "5", "6"]


def test_only_the_first_failures_are_kept() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add(Row(str(number), "failed"))

    assert tally.failed == 1000
    assert len(tally.failures) == LISTED
