"""The model card says what the checkpoint says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput, ModelInvalid
from model import files
from model.card import OodLimit, OperatingPoint
from model.registry import DEFAULT, PAEDIATRIC
from tests.testing.cards import POPULATIONS
from tests.unit.model.factories import GATE, make_card, save_model
from training.evaluate import seeds
from training.evaluate.figures import measure
from training.release import model_card
from training.release.ship import ROOT, ship_checkpoint


def make_metrics(**more: Any) -> dict[str, Any]:
    labels, probabilities = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.6, 0.7, 0.8, 0.9])
    figures = measure(labels, probabilities, 0.5).model_dump(mode="json")
    return {"test": {**figures, "intervals": {"auc": (0.5, 1.0)}}, "out_of_fold": figures, **more}


CONFIG = {"method": "finetune", "command": "pneumoscreen train data.tar"}


RECOMPRESSION = {
    "images": 3,
    "mean_absolute_change": 0.0123,
    "mean_absolute_logit_change": 0.5,
    "by_quality": {"30": 0.02},
    "mean_change": {"NORMAL": 0.01},
    "decisions_changed": 0.25,
}


def test_names_figures_and_limits() -> None:
    card = make_card(
        metrics=make_metrics(), config=CONFIG, operating_point=OperatingPoint(threshold=0.42, rule="Chosen so.")
    )
    text = model_card.render(card, "ab" * 32)
    assert f"`{'ab' * 32}`" in text
    assert "0.42 or more" in text
    assert "Chosen so." in text
    assert "| accuracy | 0.800 | 0.800 |" in text
    assert "| area under the ROC curve | 1.000 (0.500 to 1.000) | 1.000 |" in text
    assert "| sensitivity where specificity is 95% | 1.000 | 1.000 |" in text
    assert "`pneumoscreen train data.tar`" in text
    assert "| is normal | 1 | 1 |" in text
    assert "knows nothing" in text


def test_recompression_is_told_or_told_missing() -> None:
    told = model_card.render(make_card(metrics=make_metrics(recompression=RECOMPRESSION), config=CONFIG), "")
    assert "by 0.012 on average, its logit by 0.50" in told
    assert "25.0%" in told
    assert "was not measured" in model_card.render(make_card(metrics=make_metrics(), config=CONFIG), "")


def test_each_method_and_its_copies_are_told() -> None:
    for method, told in [("finetune", "JPEG of quality 30-60"), ("frozen", "augmented as in training")]:
        card = make_card(
            metrics=make_metrics(out_of_fold_copies=make_metrics()["test"]), config={**CONFIG, "method": method}
        )
        text = model_card.render(card, "")
        assert told in text
        assert "| figure | test part | out of fold | distorted copies |" in text


def test_seeds_are_told_with_their_spread() -> None:
    spread = {name: {"each": [0.9, 0.8], "mean": 0.85, "sd": 0.0707} for name in seeds.FIGURES}
    text = model_card.render(make_card(metrics=make_metrics(seeds=spread), config=CONFIG), "")
    assert "before the 2 were averaged" in text
    assert "| area under the ROC curve | 0.9000, 0.8000 | 0.8500 | 0.0707 |" in text
    assert "seed by seed" not in model_card.render(make_card(metrics=make_metrics(), config=CONFIG), "")


def test_what_is_refused_is_told_or_that_nothing_is() -> None:
    limit = OodLimit(limit=1.0, rule="Set so.", images=9, patients=4, refused={"upside down": 0.875})
    text = model_card.render(make_card(metrics=make_metrics(), config=CONFIG, ood=limit), "")
    assert "above 1 is not judged. Set so. The statistics come from 9 images of 4 patients." in text
    assert "| upside down | 87.5% |" in text
    assert "What it takes an image for" not in text
    assert "Nothing: it carries no statistics" in model_card.render(
        make_card(metrics=make_metrics(), config=CONFIG), ""
    )


def test_standing_text_is_plain_about_what_it_is() -> None:
    assert "never a diagnosis" in model_card.INTENDED_USE
    assert "Guangzhou" in model_card.LIMITS[0]
    assert any("compression" in limit for limit in model_card.LIMITS)


def test_ship_replaces_checkpoint_and_card(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    sha256 = save_model(tmp_path / "run.safetensors", metrics=make_metrics(), config=CONFIG)
    target = ship_checkpoint(tmp_path / "run.safetensors", root=tmp_path)
    assert target == tmp_path / "model" / "checkpoints" / "default.safetensors"
    assert files.file_sha256(target) == sha256
    assert sha256 in (tmp_path / "MODEL_CARD.md").read_text()
    assert [file.name for file in target.parent.iterdir()] == [target.name]


def test_ship_only_into_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="model import"):
        ship_checkpoint(tmp_path / "run.safetensors", root=tmp_path)


def test_ship_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    shutil.copy(__file__, tmp_path / "run.safetensors")
    with pytest.raises(ModelInvalid):
        ship_checkpoint(tmp_path / "run.safetensors", root=tmp_path)


@pytest.mark.parametrize(
    ("card", "checkpoint"), [("MODEL_CARD.md", DEFAULT), ("docs/model_card_paediatric.md", PAEDIATRIC)]
)
def test_each_shipped_card_is_that_of_its_checkpoint(card: str, checkpoint: Path) -> None:
    text = (ROOT / card).read_text(encoding="utf-8")
    assert text == model_card.render(files.read_card(checkpoint), files.file_sha256(checkpoint))


def test_what_the_gate_refuses_and_tells_is_in_the_card() -> None:
    text = model_card.render(make_card(metrics=make_metrics(), config=CONFIG, gate=GATE), "")
    assert "with a probability above 0.5 is not judged. fixed It was fitted to 4 frontal images and 4 others." in text
    assert "| lateral | 100.0% |" in text
    assert "ap told 50.0%" in text
    assert "Nothing: it carries no statistics" not in text


def test_groups_are_a_table_and_a_figure_that_cannot_be_is_none(tmp_path: Path) -> None:
    figures = {"normal": 9, "pneumonia": 0, "auc": None, "sensitivity": None, "specificity": 0.875}
    groups = {"test": {"source": {"ward": figures}}, "out_of_fold": {}}
    card = make_card().model_copy(update={"metrics": make_metrics(groups=groups), "config": CONFIG})
    assert "| test part | source ward | 9, 0 | none | none | 0.875 |" in model_card.render(card, "0" * 64)


def test_where_the_map_points_is_a_table() -> None:
    figures = {
        "images": 7,
        "area": 0.3,
        "inside": None,
        "peak_inside": 0.9,
        "positive": 0.2,
        "shown": 0.8,
        "tinted": 0.1,
    }
    text = model_card.render(make_card(metrics=make_metrics(map={"false alarm": figures}), config=CONFIG), "")
    assert "| false alarm | 7 | 0.30 | none | 0.90 | 0.80 |" in text
    assert "Where its map points" not in model_card.render(make_card(metrics=make_metrics(), config=CONFIG), "")


def test_fewer_seeds_out_of_fold_are_told() -> None:
    config = {**CONFIG, "method": "finetune", "finetune": {"seeds": 2, "oof_seeds": 1}}
    text = model_card.render(make_card(metrics=make_metrics(), config=config), "")
    assert "with 2 seeds; the weights are the mean of these networks (of 1, in the networks for out-of-fold" in text


def test_populations_are_told_with_what_holds_for_all_beside() -> None:
    card = make_card(metrics=make_metrics(), config=CONFIG, populations=POPULATIONS)
    text = model_card.render(card, "")
    assert "| child | 400, 200, 300 | 1.000 x +0.000 | 0.4 | 0.900 / 0.900 | 0.800 / 0.700 |" in text
    assert "| adult | 400, 200, 300 | 2.000 x -1.000 | 0.6 |" in text
    assert "+0.050 (+0.010 to +0.090)" in text
    assert "child 99.0%, adult 98.0%" in text
    assert "judged apart" not in model_card.render(make_card(metrics=make_metrics(), config=CONFIG), "")
