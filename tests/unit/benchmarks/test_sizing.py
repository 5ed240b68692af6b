"""What an operator reads off the measured stages."""

from __future__ import annotations

import pytest

from benchmarks import sizing
from tests.unit.benchmarks.factories import results, row, service_row


def test_images_per_hour_are_the_share_of_the_roofline_that_was_reached() -> None:
    stages = sizing.stages_of(results(service=service_row()))

    assert stages.images_per_hour(2) == pytest.approx(0.8 * 20 * 3600)
    assert stages.images_per_hour(8) == pytest.approx(4 * stages.images_per_hour(2))


def test_beside_a_gpu_the_cores_do_all_but_the_forward_pass() -> None:
    stages = sizing.stages_of(results(service=service_row()))

    an_hour, cores = stages.beside_gpus(1000, gpus=2)

    assert an_hour == pytest.approx(0.8 * 2000 * 3600)
    assert cores == pytest.approx(2000 * 0.040)


def test_the_page_leads_with_what_takes_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "row_bytes", lambda: 1000.0)
    gpu = results(gpu_forward=row(best_images_per_s=(30_000.0,)))

    text = sizing.page(results(service=service_row()), gpu)

    assert "| 2 | 57,600 | 1.7 h |" in text
    assert "| 32 | 921,600 | 7 min |" in text
    assert text.index("| forward | 60.0 ms | 60% |") < text.index("| decode | 20.0 ms | 20% |")
    assert "| blob store (the files as they were sent) | 30.0 GB |" in text
    assert "| database (rows, predictions, maps, indexes) | 100 MB |" in text
    assert "| 1 | 86,400,000 | 1,200 |" in text


def test_without_the_service_there_is_no_sizing() -> None:
    assert "has not been measured" in sizing.page(results())


def test_growth_of_the_database_is_measured() -> None:
    assert 400 < sizing.row_bytes(sample=160) < 4000
