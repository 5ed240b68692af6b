"""A model's card in plain words, whoever made it."""

from __future__ import annotations

from typing import Any

import pytest

from db import workers
from db.session import now
from model.registry import Registry
from tests.testing.fakes import FAKE_SHA256
from tests.unit.web.visitor import Page, Visitor
from web.backends import Backends
from web.pages.model.card_words import CANNOT_TELL, describe

SHA256 = "c" * 64
CARD: dict[str, Any] = {
    "operating_point": {"threshold": 0.4, "rule": "Chosen on Tuesdays."},
    "calibration": {"prior": 0.26},
    "training_data": {"source": "A hospital", "images": 5200, "patients": 2700, "pneumonia": 3870, "licence": "CC"},
    "split": {"train": 70, "test": 10},
    "metrics": {
        "test": {"images": 523, "accuracy": 0.9541, "auc": 0.9876, "intervals": {"accuracy": [0.93, 0.97]}},
        "recompression": {"images": 3},
    },
    "domain": {"limit": 1.0, "rule": "Two scores.", "refused": {"as they are": 0.004}},
    "gate": {"limit": 0.55, "rule": "A layer.", "refused": {"lateral chest": 0.987}},
    "site": {"images": 80, "parent_name": "mother", "parent_sha256": "d" * 64},
    "intended_use": "Sorting archives.",
    "limits": ["Children only."],
}


CHILD = {"figures": {"sensitivity": 0.9, "auc": 0.98}}
ADULT = {"figures": {"sensitivity": 0.8, "auc": 0.9}}
POPULATIONS = {
    "child": {"threshold": 0.4, "images": 5200, "pneumonia": 3870, "measured": CHILD},
    "adult": {"threshold": 0.55, "images": 4000, "pneumonia": 2000, "measured": ADULT},
    "told": {"child": 0.991},
}


@pytest.fixture
def show(reader: Visitor, backends: Backends) -> Any:
    """`show(card)`: the page of a model with this card."""

    def _show(card: dict[str, Any]) -> Page:
        with backends.database.begin() as session:
            workers.register_model(session, sha256=SHA256, name="child", card=card, now=now(session))
        return reader.get(f"/models/{SHA256}")

    return _show


def test_the_page_tells_all_that_the_card_does(show: Any) -> None:
    text = show(CARD).text
    for words in (
        "Sorting archives.",
        "Children only.",
        "An image whose probability is 40.0\u00a0% or more is called pneumonia.".replace("\u00a0", " "),
        "Chosen on Tuesdays.",
        "patients of whom 26 in 100 have pneumonia",
        "A hospital. 5,200 images of 2,700 patients, 3,870 of them with pneumonia. Licence: CC.",
        "No patient is in two parts: 70 train, 10 test.",
        "On children that it was not trained on, 523 images",
        "95.4 % 93.0 % to 97.0 %",
        "0.988 –",
        "Above 1 it is not judged.",
        "as they are 0.4 %",
        "What is not frontal with a probability above 55.0 % is not judged. A layer.",
        "lateral chest 98.7 %",
        "set on 80 images of a site, starting from mother (dddddddddddd)",
        SHA256,
    ):
        assert words in text, words


@pytest.mark.parametrize(
    "card", [{}, {"metrics": None, "limits": "x", "operating_point": 3, "split": [], "training_data": {"images": "?"}}]
)
def test_a_card_with_little_in_it_makes_a_page_too(show: Any, card: dict[str, Any]) -> None:
    page = show(card)
    assert page.status == 200
    assert CANNOT_TELL in page.text
    assert "Its card holds no figures." in page.text


def test_a_model_with_a_gate_alone_can_tell() -> None:
    words = describe({"gate": {"limit": 0.5}})
    assert words.ood == ""
    assert "lateral views" in words.gate


def test_the_shipped_model_has_purpose_data_and_figures(backends: Backends) -> None:
    words = describe(Registry(backends.settings.storage.models).primary().card.model_dump(mode="json"))
    assert words.purpose
    assert words.limits
    assert "images of" in words.trained_on
    assert len(words.measured) >= 2


@pytest.mark.parametrize("sha256", ["e" * 64, "short"])
def test_a_model_that_no_worker_used_is_not_found(reader: Visitor, sha256: str) -> None:
    assert reader.get(f"/models/{sha256}").status == 404


@pytest.mark.usefixtures("worker")
def test_status_and_image_pages_link_to_it(reader: Visitor, add_job: Any) -> None:
    add_job(("a.png", 0.9))
    for path in ("/status", "/images/1"):
        assert f"/models/{FAKE_SHA256}" in reader.get(path).links()


def test_each_population_is_told_with_its_cut_off_and_its_figures(show: Any) -> None:
    tested = {"adult": {"normal": 100, "pneumonia": 150, "sensitivity": 0.85, "specificity": None, "auc": 0.93}}
    metrics = CARD["metrics"] | {"groups": {"test": {"population": tested}}}
    text = show(CARD | {"populations": POPULATIONS, "metrics": metrics}).text
    for words in (
        "Children under 16 years Called pneumonia from 40.0 % on.",
        "Trained on 5,200 images, 3,870 of them with pneumonia.",
        "Measured in cross-validation: Pneumonias found (sensitivity) 90.0 % Area under the ROC curve 0.980",
        "Adults Called pneumonia from 55.0 % on.",
        "Measured on 250 images that it was not trained on: Pneumonias found (sensitivity) 85.0 % Area",
        "tells rightly whose chest it is, of patients that this was not made from: child 99.1 %",
        "On children and adults that it was not trained on, 523 images",
    ):
        assert words in text
    assert "An image whose probability is" not in text
    assert describe(CARD).populations == []
