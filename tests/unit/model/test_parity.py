"""One test that every engine passes: the answers of torch on a CPU, on images as alike to X-rays as can be had."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.engines import EngineName
from core.errors import OutOfMemory
from imaging.preprocess import read
from model import checkpoint, loaded
from model.card import PROBABILITY_CHANGE, Quantization
from model.checkpoint import Checkpoint
from model.decision import Predictions
from model.engines import openvino
from model.engines.openvino import OpenVinoEngine, Runner, observe
from model.engines.runtime import has_bfloat16
from model.fuse import fuse
from model.loaded import LoadedModel
from model.registry import DEFAULT
from tests.testing.factories import radiograph
from tests.unit.model.factories import make_card, make_network

CLOSE = {"openvino": 1e-4, "openvino-int8": PROBABILITY_CHANGE, "torch-cuda": 0.01, "torch-cpu": 1e-6}
"""Largest change of a probability, by engine."""
PRESENT = [name for name in CLOSE if name != "torch-cuda" or torch.cuda.is_available()]


@pytest.fixture(scope="module")
def reference() -> LoadedModel:
    return loaded.load(DEFAULT, "torch-cpu")


@pytest.fixture(scope="module", params=PRESENT)
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return loaded.load(DEFAULT, request.param)


def synthetic(count: int) -> NDArray[np.uint8]:
    return np.stack([radiograph(seed, brightness=0.3 + 0.05 * seed, size_px=(224, 224)) for seed in range(count)])


def decisions(predictions: Predictions, model: LoadedModel) -> list[str]:
    return [model.decide(prediction).decision for prediction in predictions]


def test_same_answers_on_synthetic_images(model: LoadedModel, reference: LoadedModel) -> None:
    images = synthetic(6)
    expected, predictions = reference.predict(images), model.predict(images)
    close = CLOSE[model.engine.name]
    assert predictions.probability.dtype == predictions.ood_score.dtype == np.float32
    assert predictions.cam.dtype == np.float16
    assert predictions.probability == pytest.approx(expected.probability, abs=close)
    assert predictions.ood_score == pytest.approx(expected.ood_score, abs=10 * close, rel=10 * close)
    assert predictions.cam.astype(float) == pytest.approx(expected.cam.astype(float), abs=50 * close + 0.01)
    assert model.ood_limit == reference.ood_limit
    assert model.threshold == reference.threshold


def test_same_answers_on_x_rays(model: LoadedModel, reference: LoadedModel, shared_data: Path) -> None:
    """Of both classes, of adults, and of what must be refused."""
    folders = [shared_data / its for its in ("originals/NORMAL", "originals/PNEUMONIA", "adult_chest", "not_chest")]
    files = [file for folder in folders for file in sorted(folder.rglob("*.*"))[-4:]]
    images = np.stack([read(file.read_bytes()) for file in files])
    expected, predictions = reference.predict(images), model.predict(images)
    assert {"normal", "pneumonia", "refused"} <= set(decisions(expected, reference))
    assert decisions(predictions, model) == decisions(expected, reference)
    assert np.quantile(np.abs(predictions.probability - expected.probability), 0.9) <= CLOSE[model.engine.name]


def test_a_batch_equals_its_images(model: LoadedModel) -> None:
    images = synthetic(5)
    together = model.predict(images).probability
    alone = np.concatenate([model.predict(images[i : i + 1]).probability for i in range(5)])
    close = 1e-2 if model.engine.name == "torch-cuda" else 1e-5  # another algorithm for another size, in half precision
    assert together == pytest.approx(alone, abs=close)
    assert model.predict(images[::2]).probability == pytest.approx(together[::2], abs=close)


@pytest.mark.parametrize("batch", [np.zeros((1, 224, 224)), np.zeros((1, 100, 100), np.uint8), np.zeros(3, np.uint8)])
def test_wrong_arrays(model: LoadedModel, batch: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        model.predict(batch)


@pytest.mark.parametrize("engine", ["torch-cpu", "openvino"])
def test_without_statistics_no_ood_score(engine: EngineName) -> None:
    made = loaded.load(Checkpoint(make_network(), make_card(), "ab" * 32), engine)
    assert made.engine.name == engine
    assert made.ood_limit is None
    assert np.isnan(made.predict(synthetic(2)).ood_score).all()


def test_openvino_reports_to_nobody() -> None:
    code = (
        "import sys, model.engines.runtime, openvino.tools.ovc as ovc;"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules);"
        "assert type(ovc.telemetry).__module__ == 'openvino.tools.ovc.telemetry_stub'"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


GOES_ON_AFTER_A_SIGNAL = """
import faulthandler, signal
import numpy as np
from model.engines.runtime import core, ops, ov

def compiled():
    parameter = ops.parameter([1, 8], np.float32, "x")
    return core().compile_model(ov.Model([ops.relu(parameter)], [parameter], "m"), "CPU")

faulthandler.enable()  # gives this thread a signal stack, which OpenVINO replaces
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
first, second = compiled(), compiled()
del first, second  # not in reverse order
signal.raise_signal(signal.SIGUSR1)
"""


def test_a_signal_after_openvino_is_handled() -> None:
    done = subprocess.run([sys.executable, "-c", GOES_ON_AFTER_A_SIGNAL], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_the_shipped_model_may_run_on_integers() -> None:
    card = checkpoint.read_card(DEFAULT)
    assert card.quantization is not None
    assert card.quantization.good
    assert card.quantization.agreement["validation"].images == card.split["validation"]
    assert card.quantization.agreement["test"].good


@pytest.mark.parametrize("bfloat16", [False, True])
def test_convolutions_run_on_integers(*, bfloat16: bool) -> None:
    """Nearly all time goes there; a placement that OpenVINO does not take up would only make it slower."""
    network = make_network()
    ranges = observe(fuse(network), synthetic(2), lambda done: None)
    quantization = Quantization(ranges=ranges, images=2, bfloat16=bfloat16, agreement={})
    made = OpenVinoEngine(network, quantization)
    rest = "bf16" if bfloat16 and has_bfloat16() else "f32"
    # the stem, the first convolution after it, and the head are the rest
    assert Counter(made._runner.convolution_inputs()) == {"u8": 18, rest: 3}


class Failing(Runner):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def run(self, batch: NDArray[np.uint8], collect: object) -> None:
        raise self.error


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Exception from src/inference: std::bad_alloc")])
def test_out_of_memory(error: Exception) -> None:
    made = OpenVinoEngine(make_network(), None)
    made._runner = Failing(error)
    with pytest.raises(OutOfMemory, match="2 images"):
        made.forward(synthetic(2))


def test_other_errors_pass_through() -> None:
    made = OpenVinoEngine(make_network(), None)
    made._runner = Failing(RuntimeError("bug"))
    with pytest.raises(RuntimeError, match="bug"):
        made.forward(synthetic(2))


def test_each_thread_gets_a_share_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "MOST_IMAGES", 40)
    for threads, images in ((1, 16), (2, 32), (3, 40)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        made = OpenVinoEngine(make_network(), None)
        assert made.batch_size == images
        assert np.isfinite(made.forward(synthetic(5)).logits).all()


def test_a_failed_batch_leaves_nothing_busy() -> None:
    made = OpenVinoEngine(make_network(), None)
    images = synthetic(4)
    expected = made.forward(images).logits

    def collect(index: int, request: object) -> None:
        raise KeyError(index)

    with pytest.raises(KeyError):
        made._runner.run(images, collect)
    assert made.forward(images).logits == pytest.approx(expected, abs=1e-6)
