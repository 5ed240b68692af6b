"""Which layers learn when, and how fast."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.finetune import schedule
from training.finetune.schedule import FinetuneConfig, Polish, Stage

HEAD = Stage(epochs=1, size_px=64, train_from="fc")
ALL = Stage(epochs=4, size_px=128, train_from="conv1")


def test_stages_follow_one_another() -> None:
    config = FinetuneConfig(stages=(HEAD, ALL))
    assert config.epochs == 5
    assert [config.stage_of(epoch) for epoch in (0, 1, 4)] == [HEAD, ALL, ALL]
    with pytest.raises(IndexError):
        config.stage_of(5)


def test_no_stage_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="at least one stage"):
        FinetuneConfig(stages=())


def test_second_cycle_is_slower_and_has_one_target() -> None:
    polish = Polish(epochs=2, size_px=224, train_from="layer3", rate=0.5)
    second = FinetuneConfig(learning_rate=1e-3, polish=polish).second_cycle(polish)
    assert second.stages == (Stage(epochs=2, size_px=224, train_from="layer3"),)
    assert (second.learning_rate, second.cause_weight, second.polish) == (5e-4, 0, None)


def test_lower_layers_move_less() -> None:
    config = FinetuneConfig(learning_rate=1e-3, layer_decay=0.5, head_rate=4)
    rates = [schedule.layer_rate(config, layer) for layer in schedule.LAYERS]
    assert rates == pytest.approx([0.0625e-3, 0.125e-3, 0.25e-3, 0.5e-3, 1e-3, 4e-3])


def test_head_alone_then_warm_up_then_cosine_to_nothing() -> None:
    config = FinetuneConfig(stages=(HEAD, ALL), warm_up_epochs=1)
    factors = [schedule.rate_factor(config, epoch) for epoch in (0, 0.9, 1, 1.5, 2, 3.5, 5)]
    assert factors == pytest.approx([1, 1, 0, 0.5, 1, 0.5, 0])


def test_without_warm_up_or_head_stage() -> None:
    config = FinetuneConfig(stages=(ALL,), warm_up_epochs=0)
    assert [schedule.rate_factor(config, epoch) for epoch in (0, 2, 4)] == pytest.approx([1, 0.5, 0])
