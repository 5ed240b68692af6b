"""New results are counted, so that the page can offer them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.states import ImageState
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor


def test_results_since_the_page_was_made_are_counted(reader: Visitor, add_job: AddJob) -> None:
    add_job(("old.png", 0.9), sent_hours_ago=5)
    add_job(("a.png", 0.9), ("b.png", 0.1), ("c.png", ImageState.FAILED), ("d.png", ImageState.QUEUED))
    since = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    answer = reader.client.get("/history/news", query_string=since)
    assert answer.get_json() == {"count": 3, "more": False}
    answer = reader.client.get("/history/news", query_string=since | {"decision": "pneumonia"})
    assert answer.get_json() == {"count": 1, "more": False}


def test_a_page_asks_for_what_comes_after_it(reader: Visitor, add_job: AddJob) -> None:
    (url,) = [p["data-news"] for p in reader.get("/history?decision=normal").all("p") if "data-news" in p]
    assert "decision=normal" in url
    assert reader.client.get(url).get_json() == {"count": 0, "more": False}


@pytest.mark.parametrize("query", ["", "since=yesterday", "since=2026-11-23T10:00:00", "decision=maybe"])
def test_a_damaged_question_is_400(reader: Visitor, query: str) -> None:
    assert reader.client.get(f"/history/news?{query}").status_code == 400
