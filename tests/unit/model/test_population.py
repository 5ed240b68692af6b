"""Populations against values worked out by hand, and their way through a checkpoint's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from core.errors import ModelInvalid
from core.populations import Known, Population, PopulationBy
from model import checkpoint, loaded
from model.output import NetworkOutput
from model.population import NAME, PopulationHead, from_state, judge
from model.resnet import FEATURES, POOLED
from tests.testing.cards import POPULATIONS
from tests.testing.fakes import fake_model
from tests.unit.model.factories import GATE, LIMIT, make_card, make_gate, make_network, make_ood

CHOSEN_ADULT = Known(Population.ADULT, PopulationBy.CHOSEN)
CHILD_BY_AGE = Known(Population.CHILD, PopulationBy.AGE)


def make_head() -> PopulationHead:
    """The first of the last 512 features is the logit of an adult."""
    return PopulationHead(np.eye(1, FEATURES + 1, dtype=np.float32)[0])


def output(*logits_of_adult: float) -> NetworkOutput[NDArray[np.float32]]:
    """Of images whose logit of pneumonia is 0.5, with a map of which one cell says all; one for each value."""
    count = len(logits_of_adult)
    features = np.zeros((count, POOLED), np.float32)
    features[:, POOLED - FEATURES] = logits_of_adult
    cam = np.zeros((count, 7, 7), np.float32)
    cam[:, 3, 3] = 49 * 0.5
    return NetworkOutput(np.full(count, 0.5, np.float32), cam, features)


def test_an_adult_by_hand() -> None:
    head = PopulationHead(np.append(np.zeros(FEATURES - 1), [2, 1]).astype(np.float32))
    features = np.zeros((2, POOLED), np.float32)
    features[1, -1] = -1e30
    assert head.adult(features).tolist() == pytest.approx([1 / (1 + np.exp(-1)), 0])


def test_each_image_is_judged_on_the_scale_of_its_own_population() -> None:
    moved, judged = judge(output(3, -3), make_head(), POPULATIONS, [None, None])
    assert [image.population for image in judged] == ["adult", "child"]
    assert [image.threshold for image in judged] == [0.6, 0.4]
    assert moved.logits.tolist() == [2 * 0.5 - 1, 0.5]


def test_the_map_moves_with_the_logit() -> None:
    moved, _ = judge(output(3, -3), make_head(), POPULATIONS, [None, None])
    assert moved.cam.mean((1, 2)) == pytest.approx(moved.logits, abs=1e-6)


def test_what_is_known_beforehand_goes_before_what_the_network_tells() -> None:
    moved, judged = judge(output(-3, 3, 3), make_head(), POPULATIONS, [CHOSEN_ADULT, CHILD_BY_AGE, None])
    assert [(image.population, image.by) for image in judged] == [
        ("adult", "chosen"), ("child", "age"), ("adult", "network"),
    ]  # fmt: skip
    assert moved.logits.tolist() == [0, 0.5, 0]
    assert judged[0].adult < 0.5 < judged[1].adult


def test_a_model_decides_by_the_threshold_of_the_population() -> None:
    """The same picture: its probability is 0.45, below an adult's threshold and above a child's."""
    model, pixels = fake_model(populations=True), np.full((2, 224, 224), 115, np.uint8)
    pixels[1, 0, 0] = 0
    adult, child = model.predict(pixels)
    assert (model.decide(adult).decision, model.threshold_for(adult)) == ("normal", 0.6)
    assert (model.decide(child).decision, model.threshold_for(child)) == ("pneumonia", 0.4)
    (overridden,) = model.predict(pixels[1:], [CHOSEN_ADULT])
    assert model.decide(overridden).decision == "normal"


def test_thresholds_of_a_batch() -> None:
    pixels = np.stack([np.full((224, 224), level, np.uint8) for level in (0, 200)])
    populations, alike = fake_model(populations=True), fake_model(threshold=0.7)
    assert populations.predict(pixels).thresholds(populations.threshold).tolist() == [0.4, 0.6]
    assert alike.predict(pixels).thresholds(alike.threshold).tolist() == [0.7, 0.7]


def test_a_model_without_populations_judges_all_alike_whatever_is_known() -> None:
    model, pixels = fake_model(), np.full((1, 224, 224), 115, np.uint8)
    (as_it_is,), (told,) = model.predict(pixels), model.predict(pixels, [CHOSEN_ADULT])
    assert as_it_is.probability == told.probability == pytest.approx(115 / 255)
    assert as_it_is.judged_as is told.judged_as is None
    assert model.threshold_for(told) == model.threshold


def test_a_checkpoint_brings_its_populations_back_and_keeps_the_rest(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    card = make_card(populations=POPULATIONS, gate=GATE, ood=LIMIT)
    checkpoint.save(first, make_network(), card, make_ood(), make_gate(), make_head())
    checkpoint.save_again(second, checkpoint.load(first), card.model_copy(update={"name": "other"}))
    again = checkpoint.load(second)
    assert again.card.populations == POPULATIONS
    assert again.population is not None
    assert np.array_equal(again.population.weight, make_head().weight)
    assert again.gate is not None
    assert again.ood is not None
    (prediction,) = loaded.load(second, "torch-cpu").predict(np.full((1, 224, 224), 90, np.uint8))
    assert prediction.judged_as is not None


def test_a_checkpoint_of_before_there_were_populations_still_loads(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "m.safetensors", make_network(), make_card())
    assert checkpoint.load(tmp_path / "m.safetensors").population is None


def test_a_card_and_its_file_must_agree(tmp_path: Path) -> None:
    file, card = tmp_path / "m.safetensors", make_card(populations=POPULATIONS)
    with pytest.raises(ValueError, match="populations"):
        checkpoint.save(file, make_network(), card)
    checkpoint.save(file, make_network(), card, population=make_head())
    kept = {name: tensor for name, tensor in load_file(file).items() if name != NAME}
    save_file(kept, file, metadata={"card": card.model_dump_json()})
    with pytest.raises(ModelInvalid, match=r"lacks the tensor population\.weight"):
        checkpoint.load(file)


def test_an_incomplete_and_a_damaged_layer_are_refused() -> None:
    with pytest.raises(ModelInvalid, match="incomplete"):
        from_state({})
    for weight in (np.ones(3, np.float32), np.full(FEATURES + 1, np.nan, np.float32)):
        with pytest.raises(ModelInvalid, match="damaged"):
            from_state({NAME: weight})
