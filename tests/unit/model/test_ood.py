"""The domain score against values worked out by hand, and its way through a checkpoint's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelInvalid
from model import checkpoint
from model.ood import from_state
from model.resnet import POOLED
from tests.unit.model.factories import LIMIT, make_card, make_domain, make_network


def features(**values: float) -> torch.Tensor:
    """One row of features (1, 768) that are 0 but for `at_<index>`."""
    row = torch.zeros(1, POOLED)
    for name, value in values.items():
        row[0, int(name.removeprefix("at_"))] = value
    return row


def test_distance_by_hand() -> None:
    """3² along a component of variance 1, 4² among the rest, whose variance is 2."""
    distance = make_domain().distance(features(at_0=3, at_700=4))
    assert distance.tolist() == pytest.approx([(9 / 1 + 16 / 2) / POOLED])


def test_features_are_standardised_first() -> None:
    domain = replace(make_domain(), mean=torch.full((POOLED,), 2.0), scale=torch.full((POOLED,), 4.0))
    assert domain.score(torch.full((1, POOLED), 2.0)).tolist() == pytest.approx([0.5])  # the contrast's 0 of -1..1


def test_the_score_is_the_larger_of_both() -> None:
    weight = torch.zeros(POOLED + 1)
    weight[5], weight[-1] = 2.0, 1.0
    domain = replace(make_domain(), weight=weight)
    assert domain.score(features(at_5=3)).tolist() == pytest.approx([(2 * 3 + 1 - -1) / 2])
    assert domain.score(features(at_0=100)).tolist() == pytest.approx([100**2 / POOLED])


def test_half_precision_features_are_enough() -> None:
    exact, half = features(at_0=30.03), features(at_0=30.03).half()
    assert make_domain().score(half).tolist() == pytest.approx(make_domain().score(exact).tolist(), rel=1e-2)


def test_a_checkpoint_brings_its_statistics_back(tmp_path: Path) -> None:
    file, domain = tmp_path / "m.safetensors", make_domain()
    checkpoint.save(file, make_network(), make_card(domain=LIMIT), domain)
    loaded = checkpoint.load(file)
    assert loaded.card.domain == LIMIT
    assert loaded.domain is not None
    assert all(torch.equal(its, domain.state()[name]) for name, its in loaded.domain.state().items())


def test_a_checkpoint_of_before_there_were_statistics_still_loads(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "m.safetensors", make_network(), make_card())
    assert checkpoint.load(tmp_path / "m.safetensors").domain is None


def test_a_card_and_its_file_must_agree(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="belong"):
        checkpoint.save(file, make_network(), make_card(domain=LIMIT))
    checkpoint.save(file, make_network(), make_card(domain=LIMIT), make_domain())
    kept = {name: tensor for name, tensor in load_file(file).items() if not name.startswith("domain.")}
    save_file(kept, file, metadata={"card": make_card(domain=LIMIT).model_dump_json()})
    with pytest.raises(ModelInvalid, match=r"lacks the tensor domain\."):
        checkpoint.load(file)


def test_incomplete_and_damaged_statistics_are_refused() -> None:
    state = make_domain().state()
    with pytest.raises(ModelInvalid, match="incomplete"):
        from_state({name: its for name, its in state.items() if name != "domain.mean"})
    with pytest.raises(ModelInvalid, match=r"\(scale\) are damaged"):
        from_state(state | {"domain.scale": torch.ones(3)})
    with pytest.raises(ModelInvalid, match=r"\(mean\) are damaged"):
        from_state(state | {"domain.mean": torch.full((POOLED,), torch.nan)})
