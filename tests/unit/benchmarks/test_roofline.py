"""What a service could do at best."""

from __future__ import annotations

import pytest

from benchmarks import roofline


def test_cores_over_the_sum_of_the_stages() -> None:
    roof = roofline.of_cores(2, {"decode": 0.010, "forward": 0.030})

    assert roof.images_per_s == pytest.approx(50)
    assert roof.bound_by == "forward"
    assert roof.share == pytest.approx(0.75)


def test_the_slowest_stage_bounds_a_pipeline() -> None:
    roof = roofline.of_slowest({"decode": 900.0, "forward": 30_000.0, "upload": 400.0})

    assert (roof.images_per_s, roof.bound_by) == (400.0, "upload")
