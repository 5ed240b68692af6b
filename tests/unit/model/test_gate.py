"""The gate against values worked out by hand, and its way through a checkpoint's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from core.errors import ModelInvalid
from core.kinds import ImageKind
from model import checkpoint
from model.gate import FRONTAL, KINDS, from_state
from model.resnet import POOLED
from tests.unit.model.factories import GATE, LIMIT, make_card, make_gate, make_network, make_ood


def features(*values: float) -> NDArray[np.float32]:
    """One row of features (1, 768) that begins so, and is 0 elsewhere."""
    row = np.zeros((1, POOLED), np.float32)
    row[0, : len(values)] = values
    return row


def test_probabilities_by_hand() -> None:
    kinds = make_gate().kinds(features(2, 1))
    total = np.exp(2) + np.exp(1) + len(KINDS) - 2
    assert kinds.dtype == np.float32
    assert kinds.sum() == pytest.approx(1)
    assert kinds[0, :3].tolist() == pytest.approx([np.exp(2) / total, np.exp(1) / total, 1 / total])


def test_the_view_by_hand() -> None:
    gate = make_gate()
    assert gate.ap(features()).tolist() == [0.5]
    assert gate.ap(features(*[0] * len(KINDS), np.log(3))).tolist() == pytest.approx([0.75])


def test_features_are_standardised_first() -> None:
    gate = replace(make_gate(), mean=np.full(POOLED, 2, np.float32), scale=np.full(POOLED, 4, np.float32))
    assert gate.kinds(features() + 2).tolist() == pytest.approx(make_gate().kinds(features()))
    assert gate.kinds(features() + 2 + 4 * features(1)) == pytest.approx(make_gate().kinds(features(1)))


def test_features_far_away_give_probabilities_and_no_overflow() -> None:
    kinds = make_gate().kinds(features(1e30))
    assert kinds[0, FRONTAL] == 1
    assert make_gate().ap(-features(*[0] * len(KINDS), 1e30)).tolist() == [0]


def test_the_order_of_the_kinds_is_that_of_the_first_checkpoints() -> None:
    """A checkpoint's rows are these; another order would give every image another kind."""
    first = ("frontal", "lateral", "turned_left", "turned_right", "upside_down", "negative", "several", "part", "other")
    assert KINDS[:9] == first
    assert set(KINDS) == set(ImageKind)


def test_a_checkpoint_brings_its_gate_back(tmp_path: Path) -> None:
    file, gate = tmp_path / "m.safetensors", make_gate()
    checkpoint.save(file, make_network(), make_card(gate=GATE, ood=LIMIT), make_ood(), gate)
    loaded = checkpoint.load(file)
    assert (loaded.card.gate, loaded.card.ood) == (GATE, LIMIT)
    assert loaded.gate is not None
    assert loaded.ood is not None
    assert all(np.array_equal(array, gate.state()[name]) for name, array in loaded.gate.state().items())


def test_a_checkpoint_of_before_there_was_a_gate_still_loads(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "m.safetensors", make_network(), make_card(ood=LIMIT), make_ood())
    assert checkpoint.load(tmp_path / "m.safetensors").gate is None


def test_a_checkpoint_that_is_saved_again_keeps_everything_but_the_card(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    checkpoint.save(first, make_network(), make_card(gate=GATE, ood=LIMIT), make_ood(), make_gate())
    original = checkpoint.load(first)
    checkpoint.save_again(second, original, original.card.model_copy(update={"name": "other"}))
    before, after = load_file(first), load_file(second)
    assert checkpoint.load(second).card.name == "other"
    assert before.keys() == after.keys()
    assert all(bool((before[name] == after[name]).all()) for name in before)


def test_a_card_and_its_file_must_agree(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="a gate belongs"):
        checkpoint.save(file, make_network(), make_card(gate=GATE))
    checkpoint.save(file, make_network(), make_card(gate=GATE), gate=make_gate())
    kept = {name: tensor for name, tensor in load_file(file).items() if name != "gate.view"}
    save_file(kept, file, metadata={"card": make_card(gate=GATE).model_dump_json()})
    with pytest.raises(ModelInvalid, match=r"lacks the tensor gate\.view"):
        checkpoint.load(file)


def test_an_incomplete_and_a_damaged_gate_are_refused() -> None:
    state = make_gate().state()
    with pytest.raises(ModelInvalid, match="incomplete"):
        from_state({name: array for name, array in state.items() if name != "gate.mean"})
    with pytest.raises(ModelInvalid, match=r"\(scale\) is damaged"):
        from_state(state | {"gate.scale": np.ones(3, np.float32)})
    with pytest.raises(ModelInvalid, match=r"\(view\) is damaged"):
        from_state(state | {"gate.view": np.full(POOLED + 1, np.nan, np.float32)})
