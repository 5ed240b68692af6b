"""The gate from made-up features and, small, from images to a checkpoint that names what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from typer.testing import CliRunner

from cli import model as commands
from core.errors import InvalidInput
from core.kinds import ImageKind
from model import checkpoint, loaded
from model.gate import FRONTAL, KINDS
from model.resnet import POOLED
from tests.testing.factories import radiograph
from tests.unit.model.factories import LIMIT, make_card, make_network, make_ood
from tests.unit.training.synthetic import make_dataset, write_others
from training.calibrate import gate, gate_examples, gate_fit
from training.calibrate.gate_examples import FOLDS, Example, Examples, Frontal
from training.calibrate.gate_sets import by_source


def made_up(seed: int = 0) -> Examples:
    """Features that are noise but for twenty a kind, and twenty from 200 on for AP. Two of ten are frontal."""
    rng = np.random.default_rng(seed)
    known = []
    for number in range(900):
        kind = [*KINDS, ImageKind.FRONTAL][number % 10]
        frontal = kind is ImageKind.FRONTAL
        view = ("ap", "pa", "")[number // 10 % 3] if frontal else ""
        label = number // 30 % 2 if frontal else 0
        known.append(
            Example(kind, "ward" if frontal else str(kind), number // 10 % FOLDS, number % 3 == 0, view, label)
        )
    features = rng.normal(0, 0.3, (len(known), POOLED)).astype(np.float32)
    for row, example in zip(features, known, strict=True):
        row[20 * KINDS.index(example.kind) :][:20] += 3
        row[200:220] += 3 * (example.view == "ap")
    return Examples.of(features, known)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_fit, "STEPS", 200)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return made_up()


def test_other_examples_get_their_kind_and_view(examples: Examples) -> None:
    fitted, other = gate_fit.fit(examples), made_up(1)
    assert (fitted.kinds(other.features).argmax(1) == other.kinds).mean() > 0.99
    ap = fitted.ap(other.features)
    assert ap[other.views == "ap"].min() > 0.5 > ap[other.views == "pa"].max()


def test_the_same_examples_give_the_same_gate(examples: Examples) -> None:
    first, again = gate_fit.fit(examples), gate_fit.fit(examples)
    assert all(np.array_equal(array, again.state()[name]) for name, array in first.state().items())


def test_a_kind_without_examples_is_never_told(examples: Examples) -> None:
    fitted = gate_fit.fit(examples.select(examples.kinds != KINDS.index(ImageKind.PART)))
    assert fitted.kinds(examples.features)[:, KINDS.index(ImageKind.PART)].max() < 0.1


def test_without_views_no_view_is_told(examples: Examples) -> None:
    without = replace(examples, views=np.full(len(examples.kinds), ""))
    said = gate.out_of_fold(without)
    assert (gate_fit.fit(without).ap(without.features) == 0.5).all()
    assert gate.view_limits(without, said) == (1.0, 0.0)
    assert gate.views_told(without, said, 1.0, 0.0) == {}


def test_what_is_said_of_a_fold_does_not_hang_on_it(examples: Examples) -> None:
    """Were a fold's own examples used, their wrong kinds would be learnt: here all of one fold are called frontal."""
    wrong = replace(examples, kinds=np.where(examples.folds == 2, FRONTAL, examples.kinds))
    said = gate.out_of_fold(wrong).kinds[examples.folds == 2].argmax(1)
    assert (said == examples.kinds[examples.folds == 2]).mean() > 0.99


def test_the_limit_lets_about_all_frontal_images_through(examples: Examples) -> None:
    told = gate.limits(examples, gate.out_of_fold(examples))
    assert told.refused["ward, as they are"] <= 0.02
    assert told.refused["ward, varied copies"] <= 0.02
    assert told.refused["lateral"] > 0.98
    assert told.limit >= gate.LEAST_LIMIT
    assert told.views["ap told"] > 0.9
    assert told.views["ap told wrongly"] < 0.06


def test_views_weigh_the_same_in_either_class() -> None:
    """AP is sicker here, and a feature tells the sick: it must not be taken for the view."""
    examples = made_up()
    frontal = examples.views != ""
    labels = np.where(frontal, np.where(examples.views == "ap", np.arange(900) % 5 > 0, np.arange(900) % 5 == 0), 0)
    features = examples.features.copy()
    features[:, 300:320] += 3 * labels[:, None]
    weight = gate_fit.fit(replace(examples, features=features, labels=labels.astype(np.int64))).view
    assert abs(weight[300:320].mean()) < 0.1 * weight[200:220].mean()


def test_a_fold_leaves_out_single_laterals_and_whole_folders_of_others(tmp_path: Path) -> None:
    others = gate_examples.read_others(write_others(tmp_path))
    folds = {
        name: [other.fold for other in others if other.folder == name] for name in ("lateral_chest", "hand", "knee")
    }
    assert folds == {"lateral_chest": [0, 1, 2, 3, 4], "hand": [0] * 5, "knee": [1] * 5}
    assert {other.folder: other.kind for other in others} == {
        "lateral_chest": ImageKind.LATERAL,
        "hand": ImageKind.OTHER,
        "knee": ImageKind.OTHER,
    }


def test_a_folder_without_laterals_and_a_broken_file_are_told(tmp_path: Path) -> None:
    folder = write_others(tmp_path)
    (folder / "hand" / "9.png").write_bytes(b"no image")
    with pytest.raises(InvalidInput, match=r"9\.png cannot be read as an image.*Take it out of the folder"):
        gate_examples.read_others(folder)
    with pytest.raises(InvalidInput, match="a folder of images for each kind"):
        gate_examples.read_others(folder / "hand")


def test_no_patient_is_in_two_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(gate_examples, "pooled", lambda _, images: images.reshape(len(images), -1)[:, :POOLED] + 0.0)
    dataset = make_dataset([0, 1] * 8, [f"p{number // 2}" for number in range(16)])
    pixels = np.stack([np.full((224, 224), number // 2, np.uint8) for number in range(16)])
    frontal = Frontal("ward", replace(dataset, pixels=pixels), ["pa"] * 16)
    others = gate_examples.read_others(write_others(tmp_path))
    made = gate_examples.examples(make_network(), [frontal], others, 0, lambda done, _: seen.append(done))
    plain = made.select(made.frontal & made.plain)
    for level in range(8):
        assert len(set(plain.folds[plain.features[:, 0] == level].tolist())) == 1
    assert seen[-1] == len(made.kinds)
    assert set(made.kinds.tolist()) == set(range(len(KINDS)))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_examples, "KEPT", 1)
    monkeypatch.setattr(gate_examples, "COPIES", {ImageKind.LATERAL: 2, ImageKind.OTHER: 1})


@pytest.mark.usefixtures("small")
def test_the_command_adds_a_gate_and_keeps_everything_else(tmp_path: Path) -> None:
    source, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    checkpoint.save(source, make_network(), make_card(ood=LIMIT), make_ood())
    rows = ["path,label,patient,view"]
    for number in range(20):
        PIL.Image.fromarray(radiograph(number, size_px=(60, 50))).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},p{number},{('PA', 'AP', '')[number % 3]}")
    (tmp_path / "ward.csv").write_text("\n".join(rows), encoding="utf-8")
    others = write_others(tmp_path / "others")
    given = ["add-gate", str(source), str(tmp_path / "ward.csv"), "--not-frontal", str(others), "--out", str(out)]
    ran = CliRunner().invoke(commands.app, given)
    assert ran.exit_code == 0, ran.output
    made, before = checkpoint.load(out), checkpoint.load(source)
    assert made.card.model_copy(update={"gate": None}) == before.card
    assert made.card.gate is not None
    assert (made.card.gate.images, made.card.gate.not_frontal) == (20, 15)
    assert "lateral chest: " in ran.output
    weights = before.network.body.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in made.network.body.state_dict().items())
    model = loaded.load(out, "torch-cpu")
    (prediction,) = model.predict(radiograph(3, size_px=(224, 224))[None])
    assert prediction.kinds is not None
    assert model.decide(prediction).kind is not None


def test_each_source_is_a_set_with_its_views() -> None:
    dataset = make_dataset([0, 1, 0], ["p0", "p1", "p2"])
    first, second = by_source(replace(dataset, sources=["b", "a", "b"], views=["PA", "AP", ""]))
    assert (first.name, first.dataset.patients, list(first.views)) == ("b", ["p0", "p2"], ["pa", ""])
    assert (second.name, second.dataset.labels.tolist(), list(second.views)) == ("a", [1], ["ap"])
