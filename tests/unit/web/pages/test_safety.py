"""What holds for every page: hostile names stay text, nothing comes from elsewhere, nothing is inline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import web
from db.states import ImageState
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Page, Visitor
from web.pages.base import STYLE_SHEETS

HOSTILE = "\"><img src=x onerror=alert(1)>'.png"
PATHS = [
    "/",
    "/jobs",
    "/jobs/1",
    "/jobs/1?show=failed",
    "/history",
    "/history?from=x",
    "/status",
    "/audit",
    "/password",
    "/nothing",
]
IMAGES = [f"/images/{i}" for i in range(1, 7)]
STATIC = Path(web.__file__).parent / "static"


@pytest.fixture
def filled(reader: Visitor, add_job: AddJob, worker: str) -> Visitor:
    """A service with an image in every state, all with a hostile name."""
    add_job((HOSTILE, 0.9), *((HOSTILE, state) for state in ImageState), name=HOSTILE)
    return reader


@pytest.mark.parametrize("path", PATHS)
def test_every_page_renders_while_the_service_is_empty(reader: Visitor, path: str) -> None:
    page = reader.get(path)
    assert page.status in {200, 400, 404}
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("path", PATHS + IMAGES)
def test_hostile_names_stay_text(filled: Visitor, path: str) -> None:
    page = filled.get(path)
    assert all(image["src"] != "x" for image in page.all("img"))
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    if path == "/images/1":
        assert HOSTILE in page.text


def test_a_hostile_name_that_was_refused_stays_text(reader: Visitor) -> None:
    page = reader.post("/", {}, [("<b>x</b>.txt", b"text")])
    assert "<b>x</b>.txt" in page.text
    assert not page.all("b")


def test_a_hostile_search_and_sign_in_stay_text(reader: Visitor) -> None:
    page = reader.search("/history", filename='"><script>alert(1)</script>', from_='"><b>')
    assert '"><script>alert(1)</script>' in [i.get("value") for i in page.all("input")]
    reader.post("/logout", {})
    assert not reader.sign_in('"><b>', "x").all("b")


@pytest.mark.parametrize("path", [*PATHS, "/images/1"])
def test_nothing_comes_from_another_host(filled: Visitor, path: str) -> None:
    for _, attributes in filled.get(path).elements:
        for name in ("src", "href", "action"):
            assert attributes.get(name, "/").startswith(("/", "#")), attributes
            assert not attributes.get(name, "/").startswith("//"), attributes


@pytest.mark.parametrize("path", [*PATHS, "/images/1"])
def test_nothing_is_inline(filled: Visitor, path: str) -> None:
    page = filled.get(path)
    assert not page.all("style")
    assert all("src" in script for script in page.all("script"))
    assert not any("style" in attributes for _, attributes in page.elements)


def test_every_style_sheet_is_on_the_page_and_names_its_layer() -> None:
    sheets = {path.stem: path.read_text() for path in (STATIC / "css").iterdir()}
    assert set(sheets) == set(STYLE_SHEETS)
    order = re.search(r"@layer ([a-z, ]+);", sheets[STYLE_SHEETS[0]])
    assert order is not None
    for name, sheet in sheets.items():
        assert re.search(r"@layer (\w+) {", sheet)[1] in order[1].split(", "), name  # type: ignore[index]


def test_style_and_scripts_name_no_other_host() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in {".css", ".js"}]
    assert files
    for path in files:
        assert not re.search(r"https?://|url\(|@import", path.read_text()), path.name


@pytest.mark.parametrize("path", [*PATHS, "/images/1"])
def test_pages_can_be_used_without_seeing_them(filled: Visitor, path: str) -> None:
    page = filled.get(path)
    assert page.all("html")[0]["lang"] == "en"
    assert next(a["href"] for a in page.all("a")) == "#main"
    assert page.all("main")[0]["id"] == "main"
    assert all("alt" in image for image in page.all("img"))
    labelled = {label.get("for") for label in page.all("label")}
    for field in [*page.all("input"), *page.all("select")]:
        if field.get("type") not in {"hidden", "radio"}:
            assert field.get("id") in labelled or field["aria-label"]


def test_an_error_of_the_server_does_not_ask_the_database(reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr("web.auth.dependencies", crash)
    page = _quiet_get(reader, "/jobs")
    assert page.status == 500
    assert "Images that were already accepted are kept." in page.text


def _quiet_get(visitor: Visitor, path: str) -> Page:
    """Errors answered as in production, not raised into the test."""
    visitor.client.application.testing = False
    return visitor.get(path)
