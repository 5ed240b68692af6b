"""One result is one line of CSV, wherever it comes from."""

from __future__ import annotations

import pytest

from core.csv_lines import COLUMNS, Row, cells, escape, model_label


def test_there_is_a_cell_for_every_column() -> None:
    assert len(cells(Row("a.png", "done"))) == len(COLUMNS)


def test_the_contract_columns_come_first_and_in_order() -> None:
    assert COLUMNS[:7] == ("filename", "sha256", "state", "probability", "decision", "model", "error")


def test_a_finished_image_fills_its_cells() -> None:
    row = Row("a.png", "done", "ab", 0.25, "normal", "default@0123", image_id=7)
    assert cells(row) == [
        "a.png",
        "ab",
        "done",
        "0.250000",
        "normal",
        "default@0123",
        "",
        "7",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
    ]


def test_what_is_not_known_is_empty_and_not_the_word_none() -> None:
    assert cells(Row("a.png", "queued")) == ["a.png", "", "queued", *[""] * 13]


def test_what_came_later_comes_last_and_is_escaped() -> None:
    assert COLUMNS[7:] == (
        "image_id",
        "reason",
        "review",
        "reviewer",
        "review_note",
        "notes",
        "kind",
        "view",
        "population",
    )
    row = Row(
        "a.png",
        "done",
        reason="=odd",
        review="agree",
        reviewer="@ada",
        review_note="-1",
        notes="=n",
        population="child",
    )
    assert cells(row)[-8:] == ["'=odd", "agree", "'@ada", "'-1", "'=n", "", "", "child"]


def test_a_probability_of_zero_is_not_left_empty() -> None:
    assert cells(Row("a.png", "done", probability=0.0))[3] == "0.000000"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_a_spreadsheet_would_run_gets_a_quote(start: str) -> None:
    assert escape(f"{start}cmd|calc") == f"'{start}cmd|calc"


@pytest.mark.parametrize("start", [*"＝＋－＠﹦﹢﹣﹫⁼−", " =", "\u200b=", "\ufeff＝", "\u00a0\u202e@"])  # noqa: RUF001
def test_a_formula_in_another_width_or_behind_blanks_gets_a_quote_too(start: str) -> None:
    assert escape(f"{start}cmd|calc") == f"'{start}cmd|calc"


@pytest.mark.parametrize("text", ["", " ", "\u200b", "a=b", "x-ray.png", "'quoted", "Ärzte.png", "患者1.png", "½.png"])
def test_any_other_cell_is_left_alone(text: str) -> None:
    assert escape(text) == text


def test_names_models_and_errors_are_all_escaped() -> None:
    row = cells(Row("=a", "failed", model="@b", error="+c"))
    assert (row[0], row[5], row[6]) == ("'=a", "'@b", "'+c")


def test_models_of_one_name_are_told_apart_by_their_hash() -> None:
    assert model_label("default", "0123456789abcdef") == "default@0123456789ab"
