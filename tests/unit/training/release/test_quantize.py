"""Ranges from training images, agreement from the others, and everything else of the checkpoint as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.errors import InvalidInput
from model import checkpoint, loaded
from model.card import ACTIVATIONS, Quantization
from model.checkpoint import Checkpoint
from model.engines.openvino import OpenVinoEngine, observe
from model.fuse import fuse
from model.loaded import LoadedModel
from model.output import NetworkOutput
from tests.testing.factories import radiograph
from tests.testing.fakes import FakeEngine, Floats, fake_model, output
from tests.unit.model.factories import make_card, make_network, save_model
from tests.unit.training.synthetic import make_dataset
from training.data.dataset import Dataset
from training.progress import silent
from training.release import quantize

COUNT = 40


class Fixed(FakeEngine):
    """Gives the probabilities it was made with."""

    def __init__(self, probabilities: list[float]) -> None:
        super().__init__()
        self._left = list(probabilities)

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        taken, self._left = self._left[: len(pixels)], self._left[len(pixels) :]
        return output(np.array(taken))


def on_integers(made: Checkpoint, quantization: Quantization) -> LoadedModel:
    return LoadedModel.of(made, OpenVinoEngine(made.network, quantization))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    pixels = np.stack([radiograph(seed, size_px=(224, 224)) for seed in range(COUNT)])
    return replace(make_dataset([0, 1] * (COUNT // 2), [f"p{number}" for number in range(COUNT)]), pixels=pixels)


def save_trained_on(dataset: Dataset, file: Path) -> None:
    data = make_card().training_data.model_copy(update={"digest": dataset.digest})
    save_model(file, training_data=data)


def test_a_checkpoint_gets_ranges_and_keeps_everything_else(dataset: Dataset, tmp_path: Path) -> None:
    source, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    save_trained_on(dataset, source)
    stages: dict[str, tuple[int, int]] = {}
    card = quantize.add_quantization(
        source, out, dataset, 0, lambda name, done, total: stages.update({name: (done, total)})
    )
    before, after = checkpoint.load(source), checkpoint.load(out)
    assert after.card == card
    assert card.model_copy(update={"quantization": None}) == before.card
    weights = before.network.body.state_dict()
    assert all(torch.equal(its, weights[name]) for name, its in after.network.body.state_dict().items())
    section = card.quantization
    assert section is not None
    assert section.images + sum(its.images for its in section.agreement.values()) == COUNT
    assert section.ranges.keys() == set(ACTIVATIONS)
    assert all(high > 0 for high in section.ranges.values())
    assert stages == {
        "ranges": (section.images, section.images),
        "shift": (section.images, section.images),
        **{f"agreement, {part}": (its.images, its.images) for part, its in section.agreement.items()},
    }
    assert loaded.load(out, "openvino-int8").predict(dataset.pixels[:2]).probability == pytest.approx(
        loaded.load(out, "torch-cpu").predict(dataset.pixels[:2]).probability, abs=0.02
    )


def test_other_images_have_no_validation_part(dataset: Dataset, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors")
    with pytest.raises(InvalidInput, match="not those"):
        quantize.add_quantization(tmp_path / "m.safetensors", tmp_path / "out.safetensors", dataset, 0, lambda *_: None)
    assert not (tmp_path / "out.safetensors").exists()


def test_agreement() -> None:
    reference = fake_model(Fixed([0.1] * 98 + [0.49, 0.8]))
    other = fake_model(Fixed([0.1] * 98 + [0.51, 0.9]))
    found = quantize.agree(reference, other, np.zeros((100, 224, 224), np.uint8), silent)
    assert found.images == 100
    assert found.equal_decisions == pytest.approx(0.99)
    assert found.probability_change_p99 == pytest.approx(0.1, abs=1e-6)
    assert not found.good


def test_a_shift_is_measured_and_taken_off(dataset: Dataset) -> None:
    made = Checkpoint(make_network(), make_card(), "")
    section = Quantization(
        ranges=observe(fuse(made.network), dataset.pixels[:4], lambda _: None), images=4, agreement={}
    )
    high = section.model_copy(update={"shift": -0.5})
    reference, other = on_integers(made, section), on_integers(made, high)
    assert quantize.mean_shift(reference, other, dataset.pixels[:4], silent) == pytest.approx(0.5, abs=0.01)


def test_a_site_is_measured_with_its_own_point(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    save_trained_on(dataset, file)
    parent = quantize.add_quantization(file, file, dataset, 0, lambda *_: None).quantization
    quantize.measure_site(file, dataset.pixels[:10], silent)
    section = checkpoint.load(file).card.quantization
    assert parent is not None
    assert section is not None
    assert section.ranges == parent.ranges
    assert {part: its.images for part, its in section.agreement.items()} == {"site": 10}


@pytest.mark.parametrize("section", [None, Quantization(ranges={"3.first": 1.0}, images=1, agreement={})])
def test_a_site_of_a_model_without_all_ranges_stays_as_it_is(section: Quantization | None, tmp_path: Path) -> None:
    sha256 = save_model(tmp_path / "m.safetensors", quantization=section)
    quantize.measure_site(tmp_path / "m.safetensors", np.zeros((1, 224, 224), np.uint8), silent)
    assert checkpoint.load(tmp_path / "m.safetensors").sha256 == sha256
