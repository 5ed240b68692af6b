"""Figures of maps, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.testing.fakes import FakeEngine, fake_model
from training.evaluate import localisation


def lungs(count: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Lung is all of columns 1 and 5 of the cells, and half of column 2."""
    mask = np.zeros((count, 14, 14), np.float32)
    mask[:, :, [2, 3, 4, 10, 11]] = 1
    return mask


def cam(**at: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """One map (1, 7, 7) of -1, but for `r<row>c<column>`."""
    cells = np.full((1, 7, 7), -1, np.float32)
    for name, value in at.items():
        cells[0, int(name[1]), int(name[3])] = value
    return cells


def test_mass_peak_and_cells() -> None:
    figures = localisation.measure(cam(r0c1=3, r1c2=2, r2c3=1), lungs(), 0.5)
    assert figures.area == pytest.approx(5 / 14)
    assert figures.inside == pytest.approx((3 + 1) / 6)
    assert figures.peak_inside == 1
    assert figures.positive == pytest.approx(3 / 49)


def test_a_peak_outside() -> None:
    assert localisation.measure(cam(r0c1=3, r6c6=4), lungs(), 0.5).peak_inside == 0


def test_even_evidence_is_inside_by_chance() -> None:
    figures = localisation.measure(np.ones((1, 7, 7), np.float32), lungs(), 0.5)
    assert figures.inside == pytest.approx(figures.area)
    assert figures.positive == 1


def test_maps_without_evidence_do_not_count_for_the_share_inside() -> None:
    two = np.concatenate([cam(), cam(r0c1=1)])
    assert localisation.measure(two, lungs(2), 0.5).inside == 1
    assert localisation.measure(cam(), lungs(), 0.5).inside is None


def test_the_tint_is_that_of_the_page() -> None:
    weak = localisation.measure(cam(r3c3=4), lungs(), 0.5)
    assert 1 / 49 < weak.tinted < 9 / 49
    assert weak.shown == 1


def test_a_map_that_the_page_does_not_show_tints_nothing() -> None:
    for cams, threshold in ((cam(r3c3=4), 0.99), (np.ones((1, 7, 7), np.float32), 0.5)):
        hidden = localisation.measure(cams, lungs(), threshold)
        assert (hidden.shown, hidden.tinted) == (0, 0)


def test_by_outcome() -> None:
    cams, labels = np.concatenate([cam(r0c1=1)] * 4), np.array([1, 1, 0, 0])
    called = np.array([True, False, True, False])
    predicted = localisation.by_outcome(cams, lungs(4), labels, called, 0.5)
    assert {name: figures.images for name, figures in predicted.items()} == {
        "pneumonia, found": 1, "pneumonia, missed": 1, "false alarm": 1,
    }  # fmt: skip
    none_called = localisation.by_outcome(cams, lungs(4), labels, np.zeros(4, np.bool_), 0.5)
    assert list(none_called) == ["pneumonia, missed"]


def test_predict_goes_in_batches_and_keeps_the_order() -> None:
    pixels = np.arange(70, dtype=np.uint8)[:, None, None] * np.ones((224, 224), np.uint8)
    engine, seen = FakeEngine(), []
    predicted = localisation.predict(fake_model(engine), pixels, lambda done, total: seen.append((done, total)))
    assert predicted.probabilities == pytest.approx(np.arange(70) / 255, abs=1e-6)
    assert predicted.thresholds.tolist() == [0.5] * 70
    assert engine.batch_sizes == [32, 32, 6]
    assert seen == [(32, 70), (64, 70), (70, 70)]


def test_predict_tells_the_threshold_of_each_image() -> None:
    pixels = np.stack([np.full((224, 224), level, np.uint8) for level in (0, 200)])
    assert localisation.predict(fake_model(populations=True), pixels).thresholds.tolist() == [0.4, 0.6]


def test_each_map_may_have_a_threshold_of_its_own() -> None:
    cams, labels = np.concatenate([cam(r0c1=3)] * 2), np.array([1, 1])
    called, thresholds = np.array([True, False]), np.array([0.5, 0.999])
    predicted = localisation.by_outcome(cams, lungs(2), labels, called, thresholds)
    assert (predicted["pneumonia, found"].shown, predicted["pneumonia, missed"].shown) == (1, 0)
