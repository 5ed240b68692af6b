"""A browser without scripts: follows pages as parsed HTML and sends their CSRF token with each form."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Attributes = Mapping[str, str]


class Page(HTMLParser):
    """A response taken apart: `elements` in order, `text` as a person reads it."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.status = response.status_code
        self.location = response.headers.get("Location", "")
        self.html = response.get_data(as_text=True)
        self.elements: list[tuple[str, Attributes]] = []
        self._texts: list[str] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self, part: str = "") -> list[str]:
        """The addresses linked to that contain `part`, each once, in the order of the page."""
        return list(dict.fromkeys(a["href"] for a in self.all("a") if part in a.get("href", "")))

    def link(self, rel: str) -> str:
        """The address of `<a rel=…>`; empty if there is none."""
        return next((a["href"] for a in self.all("a") if a.get("rel") == rel), "")


class Visitor:
    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.csrf_token = ""

    def get(self, path: str) -> Page:
        page = Page(self.client.get(path))
        for meta in page.all("meta"):
            if meta.get("name") == "csrf-token":
                self.csrf_token = meta["content"]
        return page

    def post(self, path: str, data: Mapping[str, str], files: Sequence[tuple[str, bytes]] = ()) -> Page:
        """Send a form; `files` go to the field `files`."""
        body: dict[str, object] = {"csrf_token": self.csrf_token, **data}
        if files:
            body["files"] = [(io.BytesIO(content), name) for name, content in files]
        return Page(self.client.post(path, data=body, content_type="multipart/form-data" if files else None))

    def search(self, path: str, **fields: str) -> Page:
        """Send the filter of a page, `from_` being its field “from”, and follow to what it finds."""
        self.get(path)
        return self.get(self.post(path, {name.rstrip("_"): value for name, value in fields.items()}).location)

    def sign_in(self, name: str, password: str, target: str = "") -> Page:
        self.get("/login")
        return self.post("/login", {"name": name, "password": password, "next": target})
