"""Ood statistics from made-up features and, small, from images to a checkpoint that refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import checkpoint, loaded
from model.resnet import POOLED
from tests.testing.factories import radiograph
from tests.unit.model.factories import LIMIT, make_card, save_model
from tests.unit.training.synthetic import make_dataset
from training.calibrate import ood, ood_copies
from training.calibrate.ood import Sample


def made_up(count: int, shift: float, seed: int) -> ood.Floats:
    """Features (count, 768) around `shift`; the first hundred vary together."""
    rng = np.random.default_rng(seed)
    found = rng.normal(shift, 1, (count, POOLED))
    found[:, :100] += rng.normal(0, 3, (count, 1))
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def sample() -> Sample:
    held = np.arange(300) % 3 == 0
    spoilt = {name: made_up(60, 2, seed) for seed, name in enumerate(ood_copies.SPOILT, 10)}
    return Sample(made_up(300, 0, 0), made_up(300, 0, 1), spoilt, held, held[:60], 150)


def test_about_none_of_the_held_out_images_are_refused(sample: Sample) -> None:
    score = ood.fit(sample).score(made_up(2000, 0, 5))
    assert (score > 1).mean() < 0.01
    assert abs(float(np.median(score))) < 0.5


def test_what_is_far_away_or_like_a_spoilt_copy_is_refused(sample: Sample) -> None:
    fitted = ood.fit(sample)
    assert (fitted.score(made_up(50, -8, 6)) > 1).all()
    assert (fitted.score(made_up(50, 2, 7)) > 1).all()


def test_the_same_sample_gives_the_same_statistics(sample: Sample) -> None:
    first, again = ood.fit(sample), ood.fit(sample)
    assert all(np.array_equal(array, again.state()[name]) for name, array in first.state().items())


def test_the_card_tells_what_is_refused(sample: Sample) -> None:
    told = ood.limit(ood.fit(sample), sample)
    assert (told.limit, told.images, told.patients) == (1.0, 300, 150)
    assert set(told.refused) == {"as they are", "kept copies", *(name.replace("_", " ") for name in ood_copies.SPOILT)}
    assert told.refused["as they are"] < 0.02
    assert told.refused["inverted"] > 0.9


def test_no_patient_is_on_both_sides() -> None:
    patients = [f"p{number % 30}" for number in range(100)]
    held = ood.hold_out(patients, np.random.default_rng(0))
    sides = [{patient for patient, its in zip(patients, held, strict=True) if its == side} for side in (True, False)]
    assert len(sides[0]) == 10
    assert sides[0].isdisjoint(sides[1])


def test_a_checkpoint_gets_statistics_and_keeps_everything_else(tmp_path: Path) -> None:
    source, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    save_model(source)
    pixels = np.stack([radiograph(seed, size_px=(224, 224)) for seed in range(24)])
    dataset = replace(make_dataset([0, 1] * 12, [f"p{number}" for number in range(24)]), pixels=pixels)
    seen: list[tuple[int, int]] = []
    card = ood.add_ood_statistics(source, out, dataset, progress=lambda done, total: seen.append((done, total)))
    made = checkpoint.load(out)
    assert made.card == card
    assert card.model_copy(update={"ood": None}) == make_card()
    before = checkpoint.load(source).network.body.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.network.body.state_dict().items())
    assert seen[-1][0] == seen[-1][1] == 24 + 24 + 3 * len(ood_copies.SPOILT)
    model = loaded.load(out, "torch-cpu")
    assert model.ood_limit == LIMIT.limit
    usual, white = model.predict(np.stack([pixels[0], np.full((224, 224), 255, np.uint8)])).ood_score
    assert usual < 1 < white


def test_statistics_can_be_replaced_in_place(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    save_model(file)
    pixels = np.stack([radiograph(seed, size_px=(224, 224)) for seed in range(12)])
    dataset = replace(make_dataset([0, 1] * 6, [f"p{number}" for number in range(12)]), pixels=pixels)
    first, second = (ood.add_ood_statistics(file, file, dataset, seed).ood for seed in (0, 0))
    assert first == second
