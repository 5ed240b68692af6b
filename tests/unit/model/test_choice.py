"""Which engine `auto` takes: int8 only where the model's own card says that it agrees with float32."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from model.card import ACTIVATIONS, Agreement, Card, Quantization
from model.engines import choice
from tests.unit.model.factories import make_card

GOOD = Agreement(images=1000, equal_decisions=1.0, probability_change_p99=0.01)


@pytest.fixture(autouse=True)
def _a_usual_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_vnni", lambda: True)
    monkeypatch.setattr(choice, "has_openvino", lambda: True)


def quantised(names: tuple[str, ...] = ACTIVATIONS, **agreement: Agreement) -> Card:
    ranges = dict.fromkeys(names, 1.0)
    return make_card(quantization=Quantization(ranges=ranges, images=300, agreement=agreement))


def auto(card: Card, *, cuda: bool = False) -> str:
    return choice.choose("auto", card, cuda=cuda).engine


def test_a_gpu_comes_first() -> None:
    assert auto(quantised(validation=GOOD), cuda=True) == "torch-cuda"


def test_cuda_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="no CUDA device"):
        choice.choose("torch-cuda", make_card(), cuda=False)


def test_int8_where_the_card_allows_it() -> None:
    chosen = choice.choose("auto", quantised(validation=GOOD), cuda=False)
    assert chosen.engine == "openvino-int8"
    assert "agrees" in chosen.reason


def test_a_model_that_was_not_quantised_runs_in_float() -> None:
    assert auto(make_card()) == "openvino"


def test_a_model_that_an_earlier_version_quantised() -> None:
    card = quantised(ACTIVATIONS[5:], validation=GOOD)
    chosen = choice.choose("auto", card, cuda=False)
    assert chosen.engine == "openvino"
    assert "earlier version" in chosen.reason
    with pytest.raises(ConfigurationError, match="earlier version; use auto, or quantise"):
        choice.choose("openvino-int8", card, cuda=False)


@pytest.mark.parametrize("bad", [{"equal_decisions": 0.99}, {"probability_change_p99": 0.021}])
def test_a_model_that_strays_runs_in_float(bad: dict[str, float]) -> None:
    chosen = choice.choose("auto", quantised(validation=GOOD.model_copy(update=bad)), cuda=False)
    assert chosen.engine == "openvino"
    assert "strays" in chosen.reason


def test_nothing_measured_is_nothing_allowed() -> None:
    assert auto(quantised()) == "openvino"
    assert auto(quantised(test=GOOD)) == "openvino"


def test_a_site_is_decided_by_its_own_images() -> None:
    bad = GOOD.model_copy(update={"equal_decisions": 0.9})
    assert auto(quantised(site=GOOD)) == "openvino-int8"
    assert auto(quantised(validation=GOOD, site=bad)) == "openvino"


def test_without_vnni_sums_could_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_vnni", lambda: False)
    chosen = choice.choose("auto", quantised(validation=GOOD), cuda=False)
    assert chosen.engine == "openvino"
    assert "VNNI" in chosen.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("processor : 0\nFeatures : fp asimd\n", False),
    ],
)
def test_vnni_is_read_from_the_flags(
    text: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(choice, "CPUINFO", tmp_path / "cpuinfo")
    assert choice.has_vnni() is False
    choice.CPUINFO.write_text(text)
    assert choice.has_vnni() is expected


def test_without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_openvino", lambda: False)
    assert auto(quantised(validation=GOOD)) == "torch-cpu"
    with pytest.raises(ConfigurationError, match="not installed"):
        choice.choose("openvino", make_card(), cuda=False)


def test_int8_by_name_needs_ranges() -> None:
    assert choice.choose("openvino-int8", quantised(), cuda=False).engine == "openvino-int8"
    with pytest.raises(ConfigurationError, match="model quantize"):
        choice.choose("openvino-int8", make_card(), cuda=False)
