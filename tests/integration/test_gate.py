"""Bodies at the real server: a form whose session has ended is kept; a client that may not send is told so first."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import delete, select

from benchmarks.site import Site, site
from db import claims, outcomes
from db.session import now
from db.states import Decision, Role
from db.tables import BrowserSession, Review
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from web.unsent_forms import MAX_FORM_BYTES

pytestmark = pytest.mark.integration

NOTE = "Effusion? <b>left</b>"
TYPED = {"opinion": "disagree", "note": NOTE}
FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """With the user `bea` and a screened image."""
    with site() as at:
        with at.database.begin() as session:
            factories.user(session, "bea", Role.CLINICIAN, PASSWORD)
            factories.images(session, factories.job(session, factories.user(session, "archive")), 1)
            factories.model(session)
            held = claims.claim(session, worker="w", limit=1, lease_s=60, now=now(session))
            scored = [outcomes.Scored(claim, 0.9, Decision.PNEUMONIA, 0.1, None, None) for claim in held]
            outcomes.finish(
                session,
                scored,
                model_sha256=FAKE_SHA256,
                threshold=0.5,
                ood_limit=1.0,
                worker="w",
                now=now(session),
            )
        at.start_web()
        yield at


@pytest.fixture
def browser(served: Site) -> Iterator[httpx.Client]:
    """Signed in, and telling where its forms come from."""
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False, headers={"Origin": served.url}) as client:
        assert sign_in(client, client.get("/login")).headers["Location"] == "/"
        yield client


def sign_in(client: httpx.Client, page: httpx.Response) -> httpx.Response:
    """Send the sign-in form of `page`, with all that it carries."""
    inputs = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", page.text)]
    hidden = {tag["name"]: unescape(tag["value"]) for tag in inputs if tag.get("type") == "hidden"}
    return client.post("/login", data=hidden | {"name": "bea", "password": PASSWORD})


def test_a_review_of_an_ended_session_is_kept(served: Site, browser: httpx.Client) -> None:
    assert browser.get("/images/1").status_code == 200
    with served.database.begin() as session:
        session.execute(delete(BrowserSession))

    refused = browser.post("/images/1/review", data=TYPED)

    assert (refused.status_code, "what you typed is kept" in refused.text) == (401, True)
    assert sign_in(browser, refused).headers["Location"] == "/images/1"
    shown = browser.get("/images/1")
    assert "Nothing is saved yet" in shown.text
    assert NOTE in unescape(shown.text)
    assert re.search(r'<input[^>]*value="disagree"[^>]*checked', shown.text)
    with served.database.read() as session:
        assert session.scalars(select(Review.note)).all() == []


def answer_to_header(url: str, path: str, content_type: str, size_bytes: int, **headers: str) -> bytes:
    """What is answered to a request of which nothing but the header is sent."""
    at = urlsplit(url)
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Host": at.netloc, "Content-Type": content_type, "Content-Length": str(size_bytes)} | more
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    with socket.create_connection((str(at.hostname), at.port or 0), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(65536)


@pytest.mark.parametrize(
    ("path", "content_type", "size_bytes", "origin"),
    [
        ("/images/1/review", FORM, 60, "https://evil.example"),
        ("/images/1/review", FORM, 60, "null"),
        ("/images/1/review", FORM, MAX_FORM_BYTES + 1, ""),
        ("/images/1/review", FILES, 60, ""),
        ("/api/v1/images", FILES, 400_000_000, ""),
        ("/api/v1/jobs", "application/json", 1_000_000, ""),
        ("/", FILES, 400_000_000, ""),
    ],
)
def test_a_stranger_is_refused_before_the_body(
    served: Site, path: str, content_type: str, size_bytes: int, origin: str
) -> None:
    answer = answer_to_header(served.url, path, content_type, size_bytes, Origin=origin or served.url)

    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]


def test_a_form_of_another_page_of_the_site_is_not_kept(served: Site) -> None:
    answer = answer_to_header(served.url, "/images/1/review", FORM, 60, Origin=served.url, Sec_Fetch_Site="same-site")

    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]
