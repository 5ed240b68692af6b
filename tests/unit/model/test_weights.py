"""What a checkpoint's file must hold is found out without torch, and agrees with what torch loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from core.errors import ModelInvalid
from model import checkpoint, weights
from model.card import Card
from model.gate import KINDS
from model.registry import DEFAULT, Registry
from tests.unit.model.factories import LIMIT, make_card, make_gate, make_network, make_ood, save_model

Tensors = dict[str, NDArray[np.generic]]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def changed(path: Path, change: Callable[[Tensors], object], card: Card | None = None) -> Path:
    """The file with its tensors changed in place."""
    tensors: Tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"card": (card or make_card()).model_dump_json()})
    return path


def test_the_table_is_that_of_the_network() -> None:
    built = make_network().body.state_dict()
    assert dict(weights.resnet18()) == {name: tuple(tensor.shape) for name, tensor in built.items()}


def test_the_table_of_the_statistics_is_theirs() -> None:
    made = make_ood(components=5).state()
    assert weights.ood(5) == {name: array.shape for name, array in made.items()}


def test_the_table_of_the_gate_is_its_own() -> None:
    assert weights.gate(len(KINDS)) == {name: array.shape for name, array in make_gate().state().items()}


def test_what_is_shipped_and_what_is_saved_pass(saved: Path, tmp_path: Path) -> None:
    weights.check(DEFAULT, checkpoint.read_card(DEFAULT))
    weights.check(saved, make_card())
    card = make_card(ood=LIMIT)
    checkpoint.save(tmp_path / "domain.safetensors", make_network(), card, make_ood())
    weights.check(tmp_path / "domain.safetensors", card)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("layer4.1.bn2.bias"), r"lacks the tensor layer4\.1\.bn2\.bias"),
        (lambda t: t.update({"fc2.bias": np.zeros(1, np.float16)}), r"an unknown tensor fc2\.bias"),
        (lambda t: t.update({"fc.weight": np.zeros((2, 512), np.float16)}), r"fc\.weight in the shape \(2, 512\)"),
        (lambda t: t.update({"fc.bias": np.zeros(1, np.int64)}), r"fc\.bias as I64"),
        (lambda t: t.update({"bn1.bias": np.full(64, np.nan, np.float16)}), r"number in bn1\.bias that is not finite"),
        (lambda t: t.update({"domain.basis": np.zeros((2, 768), np.float16)}), r"an unknown tensor domain\.basis"),
    ],
    ids=["missing", "unknown", "shape", "type", "not-finite", "statistics-without-a-limit"],
)
def test_a_tensor_that_differs_is_named(saved: Path, change: Callable[[Tensors], object], said: str) -> None:
    with pytest.raises(ModelInvalid, match=said):
        weights.check(changed(saved, change), make_card())
    with pytest.raises(ModelInvalid, match=said):
        checkpoint.load(saved)


@pytest.mark.parametrize("basis", [None, np.zeros((), np.float16)])
def test_a_limit_without_its_statistics(saved: Path, basis: NDArray[np.float16] | None) -> None:
    card = make_card(ood=LIMIT)
    extra = {} if basis is None else {"domain.basis": basis}
    with pytest.raises(ModelInvalid, match="domain"):
        weights.check(changed(saved, lambda tensors: tensors.update(extra), card), card)


def test_import_refuses_weights_that_do_not_fit(saved: Path, tmp_path: Path) -> None:
    changed(saved, lambda tensors: tensors.pop("fc.bias"))
    registry = Registry(tmp_path / "models")
    with pytest.raises(ModelInvalid, match=r"fc\.bias"):
        registry.import_(saved)
    assert not registry.models_dir.exists()


def test_importing_needs_no_torch(saved: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'torchvision']))\n"
        "from cli.main import app\n"
        f"app(['model', 'import', {str(saved)!r}], prog_name='pneumoscreen')"
    )
    env = {"PNEUMOSCREEN_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("  test-model")
