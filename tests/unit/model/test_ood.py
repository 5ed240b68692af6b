"""The ood score against values worked out by hand, and its way through a checkpoint's file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from core.errors import ModelInvalid
from model import checkpoint
from model.card import Card
from model.ood import from_state
from model.resnet import POOLED
from tests.unit.model.factories import LIMIT, make_card, make_network, make_ood


def features(**values: float) -> NDArray[np.float32]:
    """One row of features (1, 768) that are 0 but for `at_<index>`."""
    row = np.zeros((1, POOLED), np.float32)
    for name, value in values.items():
        row[0, int(name.removeprefix("at_"))] = value
    return row


def full(value: float) -> NDArray[np.float32]:
    return np.full(POOLED, value, np.float32)


def test_distance_by_hand() -> None:
    """3² along a component of variance 1, 4² among the rest, whose variance is 2."""
    distance = make_ood().distance(features(at_0=3, at_700=4))
    assert distance.tolist() == pytest.approx([(9 / 1 + 16 / 2) / POOLED])


def test_features_are_standardised_first() -> None:
    statistics = replace(make_ood(), mean=full(2.0), scale=full(4.0))
    assert statistics.score(full(2.0)[None]).tolist() == pytest.approx([0.5])  # the contrast's 0 of -1..1


def test_the_score_is_the_larger_of_both() -> None:
    weight = np.zeros(POOLED + 1, np.float32)
    weight[5], weight[-1] = 2.0, 1.0
    statistics = replace(make_ood(), weight=weight)
    assert statistics.score(features(at_5=3)).tolist() == pytest.approx([(2 * 3 + 1 - -1) / 2])
    assert statistics.score(features(at_0=100)).tolist() == pytest.approx([100**2 / POOLED])


def test_a_checkpoint_brings_its_statistics_back(tmp_path: Path) -> None:
    file, ood = tmp_path / "m.safetensors", make_ood()
    checkpoint.save(file, make_network(), make_card(ood=LIMIT), ood)
    loaded = checkpoint.load(file)
    assert loaded.card.ood == LIMIT
    assert loaded.ood is not None
    assert all(np.array_equal(array, ood.state()[name]) for name, array in loaded.ood.state().items())


def test_a_checkpoint_of_before_there_were_statistics_still_loads(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "m.safetensors", make_network(), make_card())
    assert checkpoint.load(tmp_path / "m.safetensors").ood is None


def test_the_key_in_the_file_is_the_one_of_the_first_checkpoints() -> None:
    card = make_card(ood=LIMIT)
    assert card.model_dump(mode="json")["domain"] == json.loads(card.model_dump_json())["domain"] == LIMIT.model_dump()
    assert Card.model_validate_json(card.model_dump_json()) == card
    assert "ood" not in card.model_dump_json()


def test_a_card_and_its_file_must_agree(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="belong"):
        checkpoint.save(file, make_network(), make_card(ood=LIMIT))
    checkpoint.save(file, make_network(), make_card(ood=LIMIT), make_ood())
    kept = {name: tensor for name, tensor in load_file(file).items() if not name.startswith("domain.")}
    save_file(kept, file, metadata={"card": make_card(ood=LIMIT).model_dump_json()})
    with pytest.raises(ModelInvalid, match=r"lacks the tensor domain\."):
        checkpoint.load(file)


def test_incomplete_and_damaged_statistics_are_refused() -> None:
    state = make_ood().state()
    with pytest.raises(ModelInvalid, match="incomplete"):
        from_state({name: its for name, its in state.items() if name != "domain.mean"})
    with pytest.raises(ModelInvalid, match=r"\(scale\) are damaged"):
        from_state(state | {"domain.scale": np.ones(3, np.float32)})
    with pytest.raises(ModelInvalid, match=r"\(mean\) are damaged"):
        from_state(state | {"domain.mean": full(np.nan)})
