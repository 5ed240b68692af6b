"""The layer that tells children from adults, from made-up features and, small, from images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.resnet import POOLED
from model.weights import FEATURES
from tests.unit.model.factories import make_network
from tests.unit.training.synthetic import make_dataset
from training.calibrate import population_head
from training.calibrate.population_head import Examples


def made_up(seed: int = 0, count: int = 600) -> Examples:
    """Features of which twenty tell an adult, twenty the source `far`, and twenty the disease. Adults are sicker."""
    rng = np.random.default_rng(seed)
    adult = np.arange(count) % 3 > 0
    labels = (rng.random(count) < np.where(adult, 0.8, 0.2)).astype(np.int64)
    sources = np.where(adult, np.where(np.arange(count) % 3 == 1, "near", "far"), "school")
    features = rng.normal(0, 0.5, (count, FEATURES)).astype(np.float32)
    features[:, :20] += 2 * adult[:, None]
    features[:, 20:40] += 2 * (sources == "far")[:, None]
    features[:, 40:60] += 2 * labels[:, None]
    return Examples(
        features, adult, labels, sources, rng.integers(0, population_head.FOLDS, count), np.arange(count) % 2 == 0
    )


def test_others_are_told_rightly() -> None:
    other = made_up(1)
    adult = population_head.fit(made_up()).adult(other.features)
    assert ((adult >= 0.5) == other.adult).mean() > 0.99


def test_children_are_told_as_often_as_adults_though_there_are_few_of_them() -> None:
    logits = np.concatenate([np.linspace(-4, 1, 50), np.linspace(-1, 3, 500)]).astype(np.float32)
    adult = np.arange(550) >= 50
    border = population_head.even_border(logits, adult)
    assert (logits[~adult] < border).mean() == pytest.approx((logits[adult] >= border).mean(), abs=0.03)
    assert -1 < border < 1


def test_the_disease_is_not_taken_for_the_population() -> None:
    weight = population_head.fit(made_up()).weight
    assert abs(weight[40:60].mean()) < 0.2 * weight[:20].mean()


def test_standardisation_is_a_part_of_the_weights() -> None:
    plain = made_up()
    moved = replace(plain, features=plain.features * 3 + 5)
    expected = population_head.fit(plain).adult(plain.features)
    assert population_head.fit(moved).adult(moved.features) == pytest.approx(expected, abs=1e-3)


def test_what_is_told_rightly_is_of_patients_and_sources_that_were_left_out() -> None:
    told = population_head.told_rightly(made_up())
    assert set(told) == {
        "child", "child, varied copies", "adult", "adult, varied copies", "far, fitted without it",
        "near, fitted without it",
    }  # fmt: skip
    assert min(told[name] for name in ("child", "child, varied copies", "adult", "adult, varied copies")) > 0.97
    assert told["near, fitted without it"] < 0.6  # with `far` alone the layer learns the hospital
    scrambled = replace(made_up(), adult=np.random.default_rng(0).random(600) < 0.5)
    shares = population_head.told_rightly(replace(scrambled, features=scrambled.features[:, ::-1].copy()))
    assert shares["child"] < 0.65


def test_examples_are_images_of_known_population_and_copies_with_their_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population_head, "pooled", lambda _, images: np.zeros((len(images), POOLED), np.float32))
    count = 24
    dataset = make_dataset([0, 1] * 12, [f"p{number // 2}" for number in range(count)])
    rng = np.random.default_rng(0)
    dataset = replace(
        dataset,
        pixels=rng.integers(0, 256, (count, 224, 224), dtype=np.uint8),
        sources=["school"] * 12 + ["ward"] * 12,
    )
    populations = np.array(["child"] * 12 + ["adult"] * 8 + [""] * 4)
    seen: list[tuple[int, int]] = []
    made = population_head.examples(
        make_network(), dataset, populations, 0, lambda done, all_: seen.append((done, all_))
    )
    assert len(made.adult) == 20 * (1 + population_head.COPIES) == seen[-1][0] == seen[-1][1]
    assert made.plain.sum() == 20
    assert (made.adult == (made.sources == "ward")).all()
    assert made.features.shape == (60, FEATURES)
    assert (made.folds.reshape(20, -1) == made.folds.reshape(20, -1)[:, :1]).all()
