"""The measurement of a large archive asks the application as it is: every request is answered, every batch screened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import history

ROWS = 400


@pytest.fixture
def site(tmp_path: Path) -> Iterator[history.Site]:
    with history.site(f"sqlite:///{tmp_path / 'archive.db'}", ROWS, tmp_path) as filled:
        yield filled


def test_every_request_of_the_benchmark_is_answered(site: history.Site) -> None:
    asked = list(history.requests(site.archive))
    assert len(asked) > 80
    for _, who, path in asked:
        site.get(who, site.address(who, path))  # ends the program with any status but 200


def test_the_csv_has_every_image(site: history.Site) -> None:
    site.first_bytes("/api/v1/results?format=csv")
    lines, _ = history.export(site)
    assert lines > ROWS  # a heading, and a line for each prediction


def test_batches_are_claimed_and_finished_until_too_few_images_are_queued(site: history.Site, tmp_path: Path) -> None:
    with history.site(f"sqlite:///{tmp_path / 'other.db'}", ROWS, tmp_path / "other") as other:
        claimed, finished = history.compare_work("sqlite", site, other, repeats=40)
    assert len(claimed.small_ms) == len(finished.large_ms) == 2
