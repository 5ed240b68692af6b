"""The history: filters, pages, and the CSV of the same selection."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from werkzeug.datastructures import MultiDict

from core.kinds import View
from db.states import Decision, ImageState
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Page, Visitor
from web.pages.history.form import HistoryForm
from web.pages.history.view import csv_url


def _images(page: Page) -> list[int]:
    return [int(urlsplit(link).path.rpartition("/")[2]) for link in page.links("/images/")]


def _form(**fields: str) -> HistoryForm:
    return HistoryForm.read(MultiDict({name.rstrip("_"): value for name, value in fields.items()}))


def test_pages_have_every_image_once_newest_first(
    reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.history.view.IMAGES_ON_A_PAGE", 4)
    add_job(*((f"{i}.png", 0.9) for i in range(10)))
    seen: list[int] = []
    path = "/history"
    while path:
        page = reader.get(path)
        seen += _images(page)
        path = page.link("next")
    assert seen == list(range(10, 0, -1))


def test_a_filter_survives_the_next_page(reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.pages.history.view.IMAGES_ON_A_PAGE", 2)
    add_job(*((f"{i}%20&.png", 0.9 if i % 2 else 0.1) for i in range(8)))
    first = reader.search("/history", decision="pneumonia", filename="%20&", from_="2020-01-01")
    second = reader.get(first.link("next"))
    assert (_images(first), _images(second)) == ([8, 6], [4, 2])
    assert [i["value"] for i in second.all("input") if i.get("name") == "filename"] == ["%20&"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("decision=pneumonia", [1]),
        ("decision=normal", [5, 2]),
        ("decision=refused", []),
        ("state=failed", [3]),
        ("state=queued", [4]),
    ],
)
def test_each_filter_selects_its_images(reader: Visitor, add_job: AddJob, query: str, expected: list[int]) -> None:
    add_job(("scan1.png", 0.9), ("100%.png", 0.1), ("a_b.png", ImageState.FAILED), ("q.png", ImageState.QUEUED))
    add_job(("Scan2.png", 0.2))
    assert _images(reader.get(f"/history?{query}")) == expected


def test_a_view_narrows_the_page_and_its_csv(reader: Visitor, add_job: AddJob) -> None:
    add_job(("side.png", 0.9), ood_score=2, view=View.LATERAL)
    add_job(("front.png", 0.9), view=View.AP)
    add_job(("unknown.png", 0.9))
    page = reader.get("/history?view=lateral")
    assert _images(page) == [1]
    assert "view=lateral" in next(link for link in page.links() if "format=csv" in link)
    assert _images(reader.search("/history", view="ap", decision="pneumonia")) == [2]
    assert "not in its list" in reader.get("/history?view=oblique").text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"filename": "SCAN"}, [5, 1]),
        ({"filename": "100%"}, [2]),
        ({"filename": "_"}, [3]),
        ({"filename": "scan", "state": "done", "decision": "normal"}, [5]),
    ],
)
def test_a_part_of_a_name_selects_its_images(
    reader: Visitor, add_job: AddJob, fields: dict[str, str], expected: list[int]
) -> None:
    add_job(("scan1.png", 0.9), ("100%.png", 0.1), ("a_b.png", ImageState.FAILED), ("q.png", ImageState.QUEUED))
    add_job(("Scan2.png", 0.2))
    assert _images(reader.search("/history", **fields)) == expected


def test_days_are_inclusive(reader: Visitor, add_job: AddJob) -> None:
    add_job(("old.png", 0.9), sent_hours_ago=48)
    add_job(("new.png", 0.9))
    today, day_of_old = datetime.now(UTC).date(), (datetime.now(UTC) - timedelta(hours=48)).date()
    assert _images(reader.get(f"/history?from={today}&to={today}")) == [2]
    assert _images(reader.get(f"/history?to={day_of_old}")) == [1]
    assert _images(reader.get(f"/history?from={day_of_old}&to={today}")) == [2, 1]


def test_a_day_is_a_day_of_utc_with_both_ends() -> None:
    filters = _form(from_="2026-11-22", to="2026-11-23").filters()
    assert filters.since == datetime(2026, 11, 22, tzinfo=UTC)
    assert filters.until == datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"from_": "yesterday"}, "“from” is no date"),
        ({"to": "2026-02-30"}, "“to” is no date"),
        ({"from_": "2026-11-23", "to": "2026-11-22"}, "swap them"),
        ({"to": "9999-12-31"}, "too far"),
        ({"decision": "maybe"}, "not in its list"),
        ({"state": "lost"}, "not in its list"),
        ({"review": "maybe"}, "not in its list"),
        ({"least": "1e3"}, "from 0 to 100"),
        ({"most": "nan"}, "from 0 to 100"),
        ({"least": "60 %", "most": "5,5"}, "swap them"),
        ({"job": "²"}, "no number"),
        ({"reviewer": "0"}, "no number"),
        ({"assignee": "9" * 30}, "no number"),
        ({"model": "okapi"}, "not in its list"),
    ],
)
def test_a_wrong_field_gets_a_sentence(fields: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _form(**fields).filters()


def test_a_wrong_filter_keeps_the_form_and_shows_no_images(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9))
    page = reader.search("/history", from_="2026-11-23", to="2026-11-22", filename="kept")
    assert page.status == 400
    assert "swap them" in page.text
    assert _images(page) == []
    assert 'value="kept"' in page.html


def test_the_csv_link_gives_the_same_selection(reader: Visitor, add_job: AddJob) -> None:
    add_job(("scan1.png", 0.9), ("scan2.png", 0.1), ("=cmd.png", 0.8))
    today = datetime.now(UTC).date()
    page = reader.get(f"/history?decision=pneumonia&from={today}&to={today}")
    (link,) = page.links("format=csv")
    rows = list(csv.DictReader(io.StringIO(reader.client.get(link).get_data(as_text=True))))
    assert [int(row["image_id"]) for row in rows] == _images(page) == [3, 1]
    assert rows[0]["filename"] == "'=cmd.png"


def test_the_csv_link_names_days_as_times() -> None:
    form = _form(to="2026-11-23", decision=Decision.NORMAL)
    url = csv_url(form, form.filters())
    assert url == "/api/v1/results?format=csv&to=2026-11-24T00%3A00%3A00Z&decision=normal"


def test_an_empty_list_explains_itself(reader: Visitor) -> None:
    assert "Nothing has been sent yet." in reader.get("/history").text
    page = reader.search("/history", filename="zebra")
    assert "No image matches this filter. Days are counted in UTC" in page.text


def test_control_characters_never_reach_the_database() -> None:
    assert _form(filename="a\x00b\u202e").filters().filename == "ab"


def test_pages_show_a_name_cleaned(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("evil\u202egnp.exe.png", 0.9))
    for page in ("/images/1", f"/jobs/{job_id}", "/history"):
        text = reader.get(page).text
        assert "evilgnp.exe.png" in text
        assert "\u202e" not in text


SCORES = (("b.png", 0.7), ("d.png", 0.2), ("a.png", 0.95), ("e.png", ImageState.FAILED), ("c.png", 0.7))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=suspicion", [3, 1, 5, 2, 4]),
        ("sort=oldest", [1, 2, 3, 4, 5]),
        ("sort=name", [3, 1, 5, 2, 4]),
        ("sort=suspicion&least=70", [3, 1, 5]),
        ("sort=suspicion&most=70", [1, 5, 2]),
        ("review=no&sort=oldest", [1, 2, 5]),
        ("review=yes", [3]),
        ("review=disagree", [3]),
        ("review=agree", []),
        ("reviewer=1", [3]),
        ("assignee=1", []),
        ("job=1", [5, 4, 3, 2, 1]),
        ("job=2", []),
        ("model=ffffffffffff&sort=suspicion", [3, 1, 5, 2]),
        ("model=000000000000", []),
    ],
)
def test_the_worklist_is_sorted_and_narrowed(reader: Visitor, add_job: AddJob, query: str, expected: list[int]) -> None:
    add_job(*SCORES)
    reader.post("/images/3/review", {"opinion": "disagree"})
    page = reader.get(f"/history?{query}")
    assert (page.status, _images(page)) == (200, expected)
    (link,) = page.links("format=csv")
    rows = csv.DictReader(io.StringIO(reader.client.get(link).get_data(as_text=True)))
    assert [int(row["image_id"]) for row in rows] == expected


def test_next_and_previous_go_through_the_filtered_list(reader: Visitor, add_job: AddJob) -> None:
    add_job(*SCORES)
    page = reader.search("/history", filename="png", sort="suspicion", review="no")
    address = page.links("/images/")[0]
    seen = []
    while address:
        seen.append(int(urlsplit(address).path.rpartition("/")[2]))
        page = reader.get(address)
        address = page.link("next")
    assert seen == [3, 1, 5, 2]
    assert "/images/5?" in page.link("prev")


def test_a_review_keeps_the_list_and_the_place_in_it(reader: Visitor, add_job: AddJob) -> None:
    add_job(*SCORES)
    second = reader.get("/history?sort=suspicion&review=no").links("/images/")[1]
    form = next(f["action"] for f in reader.get(second).all("form") if "/review" in f.get("action", ""))
    saved = reader.get(reader.post(form, {"opinion": "agree"}).location)
    assert "/images/3?" in saved.link("prev")
    assert "/images/5?" in saved.link("next")
    assert _images(reader.get(saved.links("/history?")[0])) == [3, 5, 2]


def test_the_way_back_leads_to_the_place_of_the_image(
    reader: Visitor, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.history.view.IMAGES_ON_A_PAGE", 4)
    add_job(*((f"{i}.png", 0.9) for i in range(12)))
    back = reader.get("/images/7?list=history&sort=oldest").links("/history?")[0]
    assert back.endswith("#image-7")
    page = reader.get(back.partition("#")[0])
    assert _images(page) == [5, 6, 7, 8]
    assert {"id": "image-7"} in page.all("tr")
    assert _images(reader.get(page.link("next"))) == [9, 10, 11, 12]
    assert _images(reader.get("/history?sort=oldest&at=1")) == [1, 2, 3, 4]
    assert _images(reader.get("/history?sort=oldest&at=404")) == [1, 2, 3, 4]


def test_a_search_that_is_gone_is_told_on_the_image(reader: Visitor, add_job: AddJob) -> None:
    add_job(*SCORES)
    page = reader.get("/images/3?list=history&search=gone")
    assert "no longer kept" in page.text
    assert page.link("next") == "/images/4"


def test_the_place_after_a_deleted_image_is_unknown_in_the_order_of_suspicion(reader: Visitor, add_job: AddJob) -> None:
    add_job(*SCORES)
    page = reader.get("/history?sort=suspicion&cursor=77")
    assert page.status == 422
    assert "Start again from the first page" in page.text


def test_a_result_near_the_cut_off_is_told_and_not_plain_green(reader: Visitor, add_job: AddJob) -> None:
    add_job(("close.png", 0.496), ("clear.png", 0.1))
    page = reader.get("/history?sort=suspicion")
    badges = [span["class"] for span in page.all("span") if "badge" in span.get("class", "")]
    assert badges == ["badge is-close", "badge is-normal"]
    assert page.text.count("near the cut-off of 50.0 %") == 1
    classes = [div["class"] for div in reader.get("/images/1").all("div") if "prediction " in div.get("class", "")]
    assert classes == ["prediction is-close"]
