"""A loaded model: the same answer alone and in a batch, pinned for a known network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.errors import ModelInvalid, OutOfMemory
from model import loaded
from model.checkpoint import Checkpoint
from model.loaded import LoadedModel
from model.ood import OodStatistics
from model.output import NetworkOutput
from model.registry import Registry
from tests.unit.model.factories import LIMIT, gradient, make_card, make_network, make_ood, save_model


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return loaded.load(Checkpoint(make_network(), make_card(), "ab" * 32), "torch-cpu")


@pytest.fixture
def ood() -> OodStatistics:
    return make_ood()


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224), dtype=np.uint8)


def test_says_what_it_is(model: LoadedModel) -> None:
    assert model.engine.name == "torch-cpu"
    assert model.name == "test-model"
    assert model.sha256 == "ab" * 32
    assert model.threshold == 0.5


def test_probabilities(model: LoadedModel) -> None:
    result = model.predict(images(3)).probability
    assert result.dtype == np.float32
    assert result.shape == (3,)
    assert np.all((result >= 0) & (result <= 1))


def test_batch_equals_singles(model: LoadedModel) -> None:
    batch = images(5)
    singles = np.concatenate([model.predict(batch[i : i + 1]).probability for i in range(5)])
    assert model.predict(batch).probability == pytest.approx(singles, abs=1e-5)


def test_golden_probabilities(model: LoadedModel) -> None:
    gray = gradient(224, 224)
    batch = np.stack([gray, 255 - gray, np.zeros_like(gray)])
    assert model.predict(batch).probability == pytest.approx([0.63277, 0.63634, 0.85758], abs=1e-3)


def test_normalisation_is_that_of_the_backbone() -> None:
    network = make_network()
    white = network.normalise(torch.full((1, 2, 2), 255, dtype=torch.uint8))
    assert white[0, :, 0, 0].tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


def test_strided_batches_are_accepted(model: LoadedModel) -> None:
    batch = images(4)
    assert model.predict(batch[::2]).probability == pytest.approx(model.predict(batch).probability[::2], abs=1e-5)


@pytest.mark.parametrize("batch", [np.zeros((1, 224, 224)), np.zeros((1, 100, 100), np.uint8), np.zeros(3, np.uint8)])
def test_wrong_arrays_are_a_mistake_of_the_caller(model: LoadedModel, batch: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        model.predict(batch)


class Failing(torch.nn.Module):
    """A network that raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, gray: torch.Tensor) -> NetworkOutput[torch.Tensor]:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory(error: BaseException) -> None:
    failing = loaded.load(Checkpoint(Failing(error), make_card(), ""), "torch-cpu")  # type: ignore[arg-type]  # a fake
    with pytest.raises(OutOfMemory, match="2 images"):
        failing.predict(images(2))


def test_other_errors_pass_through() -> None:
    failing = loaded.load(Checkpoint(Failing(RuntimeError("bug")), make_card(), ""), "torch-cpu")  # type: ignore[arg-type]  # a fake
    with pytest.raises(RuntimeError, match="bug"):
        failing.predict(images(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(model: LoadedModel) -> None:
    gpu = loaded.load(Checkpoint(make_network(), make_card(), ""), "torch-cuda")
    assert gpu.predict(images(4)).probability == pytest.approx(model.predict(images(4)).probability, abs=1e-2)


def test_loading_an_entry_verifies_its_hash(tmp_path: Path) -> None:
    save_model(tmp_path / "default.safetensors")
    entry = Registry(tmp_path / "models", shipped=(tmp_path / "default.safetensors",)).primary()
    assert loaded.load(entry, "torch-cpu").sha256 == entry.sha256
    save_model(entry.path, seed=1)
    with pytest.raises(ModelInvalid, match="has sha256"):
        loaded.load(entry, "torch-cpu")


def test_the_map_is_exact(model: LoadedModel) -> None:
    """Its mean is the logit, and a cell is the head applied to that cell's features alone."""
    predictions = model.predict(images(3))
    assert predictions.cam.shape == (3, 7, 7)
    assert predictions.cam.dtype == np.float16
    logits = np.log(predictions.probability / (1 - predictions.probability))
    assert predictions.cam.astype(np.float64).mean((1, 2)) == pytest.approx(logits, abs=2e-3)
    network = make_network()
    body = network.body
    with torch.inference_mode():
        last = torch.nn.Sequential(*list(body.children())[:-2])(network.normalise(torch.from_numpy(images(1))))
        cell = last[0, :, 2, 5] @ body.fc.weight[0] + body.fc.bias[0]
    assert float(predictions.cam[0, 2, 5]) == pytest.approx(float(cell), abs=5e-3)


def test_one_pass_agrees_with_the_plain_network() -> None:
    network = make_network()
    with torch.inference_mode():
        gray = torch.from_numpy(images(2))
        assert torch.allclose(network(gray).logits, network.logits(gray), atol=1e-5)


def test_without_statistics_there_is_no_ood_score(model: LoadedModel) -> None:
    assert model.ood_limit is None
    assert np.isnan(model.predict(images(2)).ood_score).all()


def test_with_statistics_there_is_one(ood: OodStatistics) -> None:
    made = loaded.load(Checkpoint(make_network(), make_card(ood=LIMIT), "", ood), "torch-cpu")
    scores = made.predict(images(3)).ood_score
    assert made.ood_limit == LIMIT.limit
    assert np.isfinite(scores).all()
    assert made.predict(images(3)[:1]).ood_score == pytest.approx(scores[:1], abs=1e-3)


@pytest.mark.parametrize(
    "module", ["model.loaded", "model.registry", "model.files", "imaging.decode", "model.card", "model.decision"]
)
def test_these_work_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
