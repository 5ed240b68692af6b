"""Numbers, times and progress as a person reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from db.arrival import Arrival
from db.progress import Progress
from db.states import Decision, ImageState, JobState, Priority
from web import quantities
from web.pages import words
from web.pages.job.view import cut_off


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.8731, "87.3"), (0.5, "50.0"), (0.0, "< 0.1"), (0.0009, "< 0.1"), (0.9995, "> 99.9"), (1.0, "> 99.9")],
)
def test_percent_never_claims_certainty(fraction: float, expected: str) -> None:
    assert words.percent(fraction) == f"{expected}\u00a0%"


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1234, "1.2 kB"),
        (1_000_000, "1 MB"),
        (64_250_000, "64.2 MB"),
    ],
)
def test_size(size_bytes: int, expected: str) -> None:
    assert words.size(size_bytes) == expected.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3599, "60 minutes"),
        (3600, "1 hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert quantities.duration(timedelta(seconds=seconds)) == expected


def test_times_are_shown_in_utc() -> None:
    moment = datetime(2026, 11, 3, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    assert words.day_and_time(moment) == "2 Nov 2026, 23:05"
    assert words.iso(moment) == "2026-11-02T23:05:00Z"


def _progress(**counts: int) -> Progress:
    by_state = {state: counts.get(state.value, 0) for state in ImageState}
    return Progress(JobState.RUNNING, by_state, dict.fromkeys(Decision, 0), None)


def test_progress_in_words() -> None:
    assert words.progress_words(_progress()) == "No images"
    assert words.progress_words(_progress(done=1)) == "1 of 1 image finished"
    assert words.progress_words(_progress(done=1000, failed=2, cancelled=1, queued=7)) == (
        "1,003 of 1,010 images finished, 2 failed, 1 cancelled"
    )


def test_the_strip_has_its_parts_end_to_end() -> None:
    parts = words.strip_parts(_progress(done=50, failed=10, running=20, queued=20))
    assert parts == [
        {"state": "done", "from": 0.0, "width": 50.0},
        {"state": "failed", "from": 50.0, "width": 10.0},
        {"state": "running", "from": 60.0, "width": 20.0},
    ]
    assert words.strip_parts(_progress()) == []


def test_the_strip_of_a_job_that_lacks_files_is_not_full() -> None:
    progress = replace(_progress(done=11), arrival=Arrival(expected=20, rejected=1, missing=8, silent=True))
    assert words.strip_parts(progress) == [{"state": "done", "from": 0.0, "width": 57.895}]


def test_an_upload_that_stopped_says_what_to_send() -> None:
    some = replace(_progress(done=11), arrival=Arrival(expected=20, rejected=1, missing=8, silent=True))
    none = replace(_progress(), arrival=Arrival(expected=20, missing=20, silent=True))
    assert cut_off(some).startswith("The upload stopped: 12 of 20 files received. ")
    assert cut_off(none) == "The upload stopped before an image was taken in. Send the files again."
    assert cut_off(_progress(done=11)) == ""


def test_every_state_decision_and_priority_has_a_word() -> None:
    assert set(words.STATE_WORDS) >= {*ImageState, *JobState}
    assert set(words.DECISION_WORDS) == set(Decision)
    assert set(words.PRIORITY_WORDS) == set(Priority)
    assert words.day_and_time(datetime(2026, 1, 9, tzinfo=UTC)) == "9 Jan 2026, 00:00"
