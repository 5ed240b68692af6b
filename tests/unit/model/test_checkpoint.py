"""A checkpoint comes back as it was saved, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelInvalid
from model import checkpoint
from tests.unit.model.factories import make_card, make_network, save_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_round_trip(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.card == make_card()
    expected = make_network().body.state_dict()
    for name, tensor in loaded.network.body.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-3), name


def test_file_is_half_precision_and_small(saved: Path) -> None:
    assert 22e6 < saved.stat().st_size < 23e6
    assert {t.dtype for t in load_file(saved).values()} == {torch.float16, torch.int64}


def test_loaded_network_is_ready_for_inference(saved: Path) -> None:
    network = checkpoint.load(saved).network
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_same_weights_and_card_give_the_same_hash(saved: Path, tmp_path: Path) -> None:
    assert save_model(tmp_path / "again.safetensors") == checkpoint.load(saved).sha256


def test_hash_covers_the_operating_point(saved: Path, tmp_path: Path) -> None:
    point = make_card().operating_point.model_copy(update={"threshold": 0.6})
    assert save_model(tmp_path / "other.safetensors", operating_point=point) != checkpoint.load(saved).sha256


def test_no_partial_file_is_left(saved: Path) -> None:
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_expected_hash(saved: Path) -> None:
    sha256 = checkpoint.load(saved).sha256
    assert checkpoint.load(saved, sha256).sha256 == sha256
    with pytest.raises(ModelInvalid, match="not 00"):
        checkpoint.load(saved, "00" * 32)


def test_one_changed_byte_changes_the_hash(saved: Path) -> None:
    sha256 = checkpoint.load(saved).sha256
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ModelInvalid, match="import it again"):
        checkpoint.load(saved, sha256)


@pytest.mark.parametrize("length", [0, 5, 1000, 20_000_000])
def test_truncated(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(ModelInvalid, match="damaged"):
        checkpoint.load(saved)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="no model at"):
        checkpoint.load(tmp_path / "nothing.safetensors")


def test_without_a_card(saved: Path) -> None:
    save_file(load_file(saved), saved)
    with pytest.raises(ModelInvalid, match="no valid card"):
        checkpoint.load(saved)


def test_other_weights_under_a_valid_card(saved: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, saved, metadata={"card": make_card().model_dump_json()})
    with pytest.raises(ModelInvalid, match="ResNet-18"):
        checkpoint.load(saved)


@pytest.mark.parametrize("field", ["architecture", "preprocessing"])
def test_what_this_version_cannot_run(tmp_path: Path, field: str) -> None:
    card = make_card(**{field: "something newer"})
    checkpoint.save(tmp_path / "m.safetensors", make_network(), card)
    with pytest.raises(ModelInvalid, match=field):
        checkpoint.read_card(tmp_path / "m.safetensors")


def test_weights_too_large_for_half_precision(tmp_path: Path) -> None:
    network = make_network()
    with torch.no_grad():
        network.body.fc.bias.fill_(1e6)
    with pytest.raises(ValueError, match=r"fc\.bias"):
        checkpoint.save(tmp_path / "m.safetensors", network, make_card())
