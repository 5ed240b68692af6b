"""The pages in a real Chromium: keyboard alone, live progress, no scripts, narrow screens, dark, refused files."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import select

from db import previews
from db.session import now
from db.tables import Image, Job, Prediction
from tests.e2e.conftest import LONG, add_job, add_refused_job, new_context, screen, sign_in
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from web.backends import Backends

pytestmark = [
    pytest.mark.e2e,
    # werkzeug's server leaves a static file open when the browser moves on before it is sent.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]

PATHS = [
    "/",
    "/jobs",
    "/jobs/1",
    "/history",
    "/history?state=cancelled",
    "/history?sort=suspicion&review=no&least=10",
    "/password",
    "/images/1",
    "/images/2",
    "/images/3",
    "/status",
    "/audit",
    "/models/" + FAKE_SHA256,
    "/nothing",
]


def test_a_keyboard_is_enough_to_send_an_image_and_reach_its_job(page: Page, files: list[Path]) -> None:
    page.on("filechooser", lambda _: None)  # makes the browser report choosers from now on, not a moment too late
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="What to do: see Status")).to_be_focused()  # no worker runs here
    page.keyboard.press("Tab")
    chooser = page.get_by_label("X-rays to screen")
    expect(chooser).to_be_focused()
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    opened.value.set_files(files[:2])
    expect(page.get_by_text("2 files, 0.0 MB")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="In the background")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Whose X-rays")).to_have_value("child")
    page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Screen", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/1")
    expect(page.get_by_role("heading", level=1)).to_have_text("by keyboard")
    expect(page.get_by_text("0 of 2 images finished")).to_be_visible()


def test_whose_x_rays_these_are_is_chosen_in_the_form(page: Page, files: list[Path], backends: Backends) -> None:
    page.get_by_label("X-rays to screen").set_input_files(files[:1])
    page.get_by_label("Whose X-rays").select_option("child")
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("each judged as a child")).to_be_visible()
    with backends.database.read() as session:
        assert session.scalars(select(Job.population)).all() == ["child"]


def test_a_job_page_follows_its_job_to_the_end(page: Page, backends: Backends) -> None:
    add_job(backends, 4)
    page.goto("/jobs/1")
    row = page.get_by_role("row", name=re.compile("-3.png"))
    expect(page.get_by_text("2 of 4 images finished")).to_be_visible()
    expect(row).to_contain_text("Queued")
    screen(backends, 1)
    expect(page.get_by_text("3 of 4 images finished").first).to_be_visible()
    screen(backends, 1, probability=0.1)
    expect(page.get_by_text("4 of 4 images finished").first).to_be_visible()
    expect(row).to_contain_text("Pneumonia not suspected")
    expect(page.locator("[data-poll]")).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("[data-live-words]")).to_have_text("4 of 4 images finished")


def test_an_image_page_shows_its_result_by_itself(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    page.goto("/images/2")
    expect(page.get_by_role("heading", name="Waiting its turn")).to_be_visible()
    screen(backends, 1, probability=0.93)
    expect(page.get_by_role("heading", name="Pneumonia suspected")).to_be_visible()
    expect(page.get_by_text("93.0 %")).to_be_visible()


def test_the_focus_stays_where_it_was_when_a_page_renews_itself(page: Page, backends: Backends) -> None:
    add_job(backends, 4)
    page.goto("/jobs/1")
    link = page.locator('a[href="/images/2"]')
    link.focus()
    screen(backends, 1)
    expect(page.get_by_text("3 of 4 images finished").first).to_be_visible()
    expect(link).to_be_focused()


def test_a_page_tells_when_the_server_is_gone_and_when_it_is_back(page: Page, backends: Backends) -> None:
    add_job(backends, 4)
    page.goto("/jobs/1")
    page.route("**/api/v1/jobs/1", lambda route: route.abort())
    expect(page.get_by_text("The server does not answer at the moment.")).to_be_visible()
    page.unroute("**/api/v1/jobs/1")
    expect(page.get_by_text("The server does not answer at the moment.")).to_be_hidden()


def test_refused_files_are_listed_and_the_page_stays(page: Page, files: list[Path], backends: Backends) -> None:
    page.get_by_label("X-rays to screen").set_input_files(files)
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("1 file refused. The other 3 are being screened.")).to_be_visible()
    expect(page.get_by_text("note.txt Not a JPEG or PNG image: this looks like a text file.")).to_be_visible()
    page.get_by_role("link", name="See the job").click()
    page.wait_for_url("**/jobs/1")
    with backends.database.read() as session:
        assert session.scalars(select(Image.filename).order_by(Image.id)).all() == ["a.png", LONG, "c.png"]


def test_many_files_go_in_requests_of_twenty_and_none_is_lost(page: Page, tmp_path: Path, backends: Backends) -> None:
    paths = [tmp_path / f"{i:03d}.png" for i in range(53)]
    for seed, path in enumerate(paths):
        path.write_bytes(factories.png(seed, size_px=(16, 16)))
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" and r.url.endswith("/images") else None)
    page.get_by_label("X-rays to screen").set_input_files(paths)
    expect(page.get_by_role("radio", name="In the background")).to_be_checked()
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    with backends.database.read() as session:
        names = session.scalars(select(Image.filename).order_by(Image.id)).all()
    assert names == [path.name for path in paths]
    assert len(sent) == 3


def test_an_upload_outlives_a_busy_server_and_a_lost_answer(page: Page, files: list[Path], backends: Backends) -> None:
    tries: list[str] = []

    def answer(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.fulfill(status=503, headers={"Retry-After": "0.1"}, json={"detail": "busy"})
        elif len(tries) == 2:
            route.fetch()  # the server has taken the files, but the answer gets lost
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/jobs/1/images", answer)
    page.get_by_label("X-rays to screen").set_input_files(files[:3])
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    with backends.database.read() as session:
        assert len(session.scalars(select(Image.id)).all()) == 3
    assert len(tries) == 3


DROP_A_FOLDER = """async () => {
    // What Chromium hands out for a dropped folder: two files of one name in two folders, and one of another kind.
    const file = (path, bytes, type) => ({
        isFile: true, isDirectory: false, fullPath: path,
        file: (resolve) => resolve(new File([Uint8Array.from(bytes)], path.split("/").pop(), { type })),
    });
    const folder = (path, children) => ({
        isFile: false, isDirectory: true, fullPath: path,
        createReader: () => ({ readEntries: (resolve) => resolve(children.splice(0)) }),
    });
    const image = await (await fetch("/drop.png")).arrayBuffer();
    const bytes = [...new Uint8Array(image)];
    const wards = ["ward", "icu"].map((name) =>
        folder(`/study/${name}`, [file(`/study/${name}/IM-0001.png`, bytes, "image/png")]));
    const root = folder("/study", [...wards, file("/study/readme.txt", [65], "text/plain")]);
    const event = new Event("drop", { cancelable: true });
    event.dataTransfer = { items: [{ webkitGetAsEntry: () => root }], files: [] };
    window.dispatchEvent(event);
}"""


def test_a_dropped_folder_keeps_its_paths_and_equal_names(page: Page, backends: Backends) -> None:
    page.route("**/drop.png", lambda route: route.fulfill(body=factories.png(), content_type="image/png"))
    page.evaluate(DROP_A_FOLDER)
    expect(page.get_by_text("1 other file in the folder left out")).to_be_visible()
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    with backends.database.read() as session:
        names = session.scalars(select(Image.filename).order_by(Image.id)).all()
        assert session.get_one(Job, 1).expected_images == 2
    assert names == ["study/ward/IM-0001.png", "study/icu/IM-0001.png"]


def test_a_page_that_is_left_leaves_an_incomplete_job(page: Page, files: list[Path], backends: Backends) -> None:
    """Left after the first of two requests; the job says how much it has, and at last that the upload stopped."""
    page.route("**/api/v1/jobs/1/images", lambda route: route.abort())
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("X-rays to screen").set_input_files(files[:3])
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("The server does not answer. This page tries again in")).to_be_visible()
    with backends.database.begin() as session:
        job = session.get_one(Job, 1)
        factories.images(session, job, 1)
    screen(backends, 1)
    page.goto("/jobs/1")
    expect(page.get_by_text("1 of 3 files received, 1 image finished").first).to_be_visible()
    with backends.database.begin() as session:
        for row in (session.get_one(Job, 1), session.get_one(Image, 1)):
            row.created_at -= timedelta(minutes=5)
    expect(page.get_by_text("Incomplete").first).to_be_visible()
    expect(page.get_by_text("The upload stopped: 1 of 3 files received.")).to_be_visible()


def test_nothing_accepted_leaves_no_job(page: Page, files: list[Path], backends: Backends) -> None:
    page.get_by_label("X-rays to screen").set_input_files([files[3]])
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("1 file refused. Nothing is being screened.")).to_be_visible()
    with backends.database.read() as session:
        assert session.scalars(select(Job)).all() == []


def test_offline_is_called_offline_and_ends_with_it(page: Page, files: list[Path], backends: Backends) -> None:
    page.get_by_label("X-rays to screen").set_input_files(files[:2])
    page.context.set_offline(True)
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("You are offline. Sending goes on by itself")).to_be_visible()
    page.context.set_offline(False)
    page.wait_for_url("**/jobs/1")
    with backends.database.read() as session:
        assert len(session.scalars(select(Image.id)).all()) == 2


def test_one_other_file_and_a_full_storage_are_told_in_one_sentence_each(page: Page, files: list[Path]) -> None:
    answers = [507]

    def answer(route: Route) -> None:
        if not answers:
            return route.continue_()
        detail = "No space. Nothing of this request was kept: send it again later."
        return route.fulfill(status=answers.pop(), headers={"Retry-After": "600"}, json={"detail": detail})

    page.route("**/api/v1/jobs/1/images", answer)
    page.get_by_label("X-rays to screen").set_input_files([files[0], files[3]])
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_text("The image storage is full. This page tries again in 10 minutes.")).to_be_visible()
    page.evaluate("window.dispatchEvent(new Event('online'))")  # whatever it waits for: the network came back
    expect(page.get_by_text("1 file refused. The other one is being screened.")).to_be_visible()


def test_dropped_files_are_chosen(page: Page) -> None:
    expect(page.get_by_text("You can also drop files or a folder here.")).to_be_visible()
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["x"], "dropped.png", { type: "image/png" }));
            window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.get_by_text("1 file, 0.0 MB")).to_be_visible()
    assert page.get_by_label("X-rays to screen").evaluate("input => input.files[0].name") == "dropped.png"


def test_everything_works_without_scripts(chromium: Browser, url: str, files: list[Path], backends: Backends) -> None:
    context = new_context(chromium, url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.get_by_label("X-rays to screen").set_input_files(files[0])
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    screen(backends, 1)
    page.reload()
    page.get_by_role("link", name="a.png").click()
    expect(page.get_by_role("heading", name="Pneumonia suspected")).to_be_visible()
    page.goto("/")
    page.get_by_label("X-rays to screen").set_input_files(files)
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 4 files was refused")
    context.close()


def test_a_job_is_cancelled_only_after_a_question(page: Page, backends: Backends) -> None:
    add_job(backends, 4)
    page.goto("/jobs/1")
    page.get_by_text("Cancel job").click()
    page.get_by_role("button", name="Cancel what is queued").click()
    expect(page.get_by_text("2 queued images cancelled.")).to_be_visible()
    with backends.database.read() as session:
        assert session.get_one(Job, 1).cancelled_at is not None


def test_the_map_is_shown_and_hidden_by_keyboard_and_fits_the_x_ray(
    page: Page, files: list[Path], backends: Backends
) -> None:
    page.get_by_label("X-rays to screen").set_input_files(files[0])
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    screen(backends, 1)
    page.goto("/images/1")
    layer, switch = page.locator(".xray-map"), page.get_by_label("Show where the model saw signs")
    expect(layer).to_be_hidden()
    switch.focus()
    page.keyboard.press("Space")
    expect(layer).to_be_visible()
    boxes = page.evaluate(
        """() => [".xray-map image", ".xray img"].map((s) => {
            const box = document.querySelector(s).getBoundingClientRect();
            return { ratio: box.width / box.height, middle: box.x + box.width / 2, height: box.height };
        })"""
    )
    assert boxes[0]["ratio"] == pytest.approx(120 / 100, abs=0.01)
    assert boxes[0]["middle"] == pytest.approx(boxes[1]["middle"], abs=1)
    assert page.request.get("/api/v1/images/1/cam").headers["content-type"] == "image/png"
    page.keyboard.press("Space")
    expect(layer).to_be_hidden()


@pytest.mark.parametrize("width_px", [1280, 390])
def test_the_map_lies_where_the_model_judged_and_the_border_is_told(
    page: Page, backends: Backends, width_px: int
) -> None:
    """A picture of 400 x 600 that a worker made, with a border of 10, 20, 30 and 40 % of its sides."""
    add_job(backends, 2)
    with backends.database.begin() as session:
        image = session.get_one(Image, 1)
        judged = session.scalars(select(Prediction).where(Prediction.image_id == 1)).one()
        judged.box = [400, 600, 40, 120, 280, 360]
        previews.keep(session, {image.sha256: factories.jpeg(size_px=(400, 600))}, now(session))
    page.set_viewport_size({"width": width_px, "height": 800})
    page.goto("/images/1")
    page.get_by_label("Show where the model saw signs").check()
    shown, laid = page.evaluate(
        """() => [".xray img", ".xray-map image"].map((s) => {
            const box = document.querySelector(s).getBoundingClientRect();
            return [box.x, box.y, box.width, box.height];
        })"""
    )
    scale = min(shown[2] / 400, shown[3] / 600)
    left, top = shown[0] + (shown[2] - 400 * scale) / 2, shown[1] + (shown[3] - 600 * scale) / 2
    assert laid == pytest.approx([left + 40 * scale, top + 120 * scale, 240 * scale, 240 * scale], abs=1)
    expect(page.get_by_text("judged without its border")).to_be_visible()


def test_a_refused_image_keeps_its_number_in_the_details(page: Page, backends: Backends) -> None:
    add_refused_job(backends)
    page.goto("/images/3")
    expect(page.get_by_role("heading", name="Not judged")).to_be_visible()
    expect(page.get_by_text("probability of pneumonia")).to_be_hidden()
    page.get_by_text("The number it would have given").click()
    expect(page.get_by_text("probability of pneumonia")).to_be_visible()
    page.get_by_role("link", name="fake-brightness").click()
    expect(page.get_by_role("heading", name="What it refuses to judge")).to_be_visible()


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_never_scrolls_sideways(chromium: Browser, url: str, backends: Backends, path: str) -> None:
    add_refused_job(backends)
    context = new_context(chromium, url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    sign_in(page)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


CONTRAST = """() => {
    const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (color) => { const [r, g, b] = rgba(color).map(channel); return 0.2126*r + 0.7152*g + 0.0722*b; };
    const behind = (e) => { while (e && rgba(getComputedStyle(e).backgroundColor)[3] < 255) e = e.parentElement;
        return getComputedStyle(e ?? document.body).backgroundColor; };
    const poor = [];
    for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || e.closest("option, .visually-hidden, svg") || !e.checkVisibility()) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.outerHTML.slice(0, 120));
    }
    return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(chromium: Browser, url: str, backends: Backends, scheme: Any) -> None:
    add_refused_job(backends)
    context = new_context(chromium, url, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page)
    backgrounds = set()
    for path in PATHS:
        page.goto(path)
        assert page.evaluate(CONTRAST) == [], path
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == ({"rgb(244, 246, 248)"} if scheme == "light" else {"rgb(14, 21, 26)"})
    context.close()
