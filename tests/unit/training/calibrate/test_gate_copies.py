"""Copies for the gate: of the same kind, and made into what must be refused."""

from __future__ import annotations

import numpy as np
import pytest

from core.kinds import ImageKind
from tests.testing.factories import radiograph
from training.calibrate import gate_copies
from training.calibrate.gate_copies import Gray


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def gray() -> Gray:
    """Brighter at its upper edge, so that one sees how it lies."""
    film = radiograph(size_px=(224, 224)).astype(float)
    film[:40] += 100
    return film.clip(0, 255).astype(np.uint8)


def brightest_edge(gray: Gray) -> str:
    edges = {"top": gray[:30], "bottom": gray[-30:], "left": gray[:, :30], "right": gray[:, -30:]}
    return max(edges, key=lambda name: float(edges[name].mean()))


@pytest.mark.parametrize(
    ("kind", "edge"),
    [(ImageKind.TURNED_LEFT, "left"), (ImageKind.TURNED_RIGHT, "right"), (ImageKind.UPSIDE_DOWN, "bottom")],
)
def test_a_turned_copy_has_the_head_where_its_name_says(
    kind: ImageKind, edge: str, gray: Gray, rng: np.random.Generator
) -> None:
    edges = [brightest_edge(gate_copies.SPOILT[kind](gray, rng)) for _ in range(9)]
    assert edges.count(edge) >= 6  # words and borders may outshine it


def test_varied_copies_are_upright_and_no_two_alike(gray: Gray, rng: np.random.Generator) -> None:
    copies = [gate_copies.varied(gray, rng) for _ in range(9)]
    assert {copy.shape for copy in copies} == {(224, 224)}
    assert {copy.dtype for copy in copies} == {np.dtype(np.uint8)}
    assert len({copy.tobytes() for copy in copies}) == 9
    assert [brightest_edge(copy) for copy in copies].count("top") >= 6


def test_a_negative_is_dark_where_it_was_bright(gray: Gray, rng: np.random.Generator) -> None:
    copies = [gate_copies.inverted(gray, rng) for _ in range(9)]
    assert sum(float(copy[:30].mean()) < float(copy[100:130].mean()) for copy in copies) >= 6


def test_a_part_lacks_something_of_the_whole(rng: np.random.Generator) -> None:
    """Of a ramp that rises to the right and down, at least a quarter of one side's levels are missing."""
    ramp = np.add.outer(np.linspace(0, 20, 224), np.linspace(40, 200, 224)).astype(np.uint8)
    spans = [np.ptp(gate_copies.part(ramp, rng).mean(0)) for _ in range(40)]
    assert min(spans) < 110 < max(spans)


def test_several_films_stand_beside_each_other(rng: np.random.Generator) -> None:
    black, white = np.full((224, 224), 60, np.uint8), np.full((224, 224), 200, np.uint8)
    sheets = [gate_copies.several([black, white], rng) for _ in range(20)]
    assert {sheet.shape for sheet in sheets} == {(224, 224)}
    assert sum(sheet.std() > 30 for sheet in sheets) >= 5


def test_a_plain_border_goes_as_it_does_in_screening(gray: Gray) -> None:
    framed = np.pad(gray, 60, constant_values=255)
    assert np.array_equal(gate_copies.screened(framed), gray)


def test_the_same_seed_gives_the_same_copies(gray: Gray) -> None:
    for make in (gate_copies.varied, *gate_copies.SPOILT.values()):
        first, again = (make(gray, np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(first, again)
