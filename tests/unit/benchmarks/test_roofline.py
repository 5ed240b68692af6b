"""What a service could do at best."""

from __future__ import annotations

import pytest

from benchmarks import roofline


def test_cores_over_the_sum_of_the_stages() -> None:
    found = roofline.of_cores(2, {"decode": 0.010, "forward": 0.030})

    assert found.images_per_s == pytest.approx(50)
    assert found.bound_by == "forward"
    assert found.share == pytest.approx(0.75)


def test_the_slowest_stage_bounds_a_pipeline() -> None:
    found = roofline.of_slowest({"decode": 900.0, "forward": 30_000.0, "upload": 400.0})

    assert (found.images_per_s, found.bound_by) == (400.0, "upload")
