"""Who may do what: every address, with every method, for everybody, against a table written out here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from db.accounts import users
from db.session import now
from db.states import Role, Scope
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.web.visitor import Page
from web import permissions
from web.backends import Backends
from web.permissions import Permission

EVERYBODY = "nobody disabled owner clinician operator admin read submit review manage"
SIGNED_IN = "owner clinician operator admin read submit review manage"
SEE_JOBS = "owner clinician operator admin read"
SEE_IMAGES = "owner clinician admin read"
SUBMIT = "owner clinician operator admin submit"
ADD = "owner admin submit"
REVIEW = "owner clinician admin review"
CHANGE = "owner operator admin manage"
DELETE = "owner admin manage"
OPERATE = "operator admin manage"
AUDIT = "admin manage"

ALLOWED = {
    "GET /static/<path:filename>": EVERYBODY,
    "GET /login": EVERYBODY,
    "POST /login": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /metrics": EVERYBODY,
    "GET /api/docs/assets/<path:filename>": EVERYBODY,
    "POST /logout": SIGNED_IN,
    "GET /password": SIGNED_IN,
    "POST /password": SIGNED_IN,
    "GET /openapi.json": SIGNED_IN,
    "GET /api/docs": SIGNED_IN,
    "GET /models/<sha256>": SIGNED_IN,
    "GET /api/v1/whoami": SIGNED_IN,
    "GET /": SEE_JOBS,
    "POST /": SUBMIT,
    "GET /jobs": SEE_JOBS,
    "GET /jobs/<job_id>": SEE_JOBS,
    "POST /jobs/<job_id>/cancel": CHANGE,
    "POST /jobs/<job_id>/retry": CHANGE,
    "POST /jobs/<job_id>/delete": DELETE,
    "GET /images/<image_id>": SEE_IMAGES,
    "POST /images/<image_id>/review": REVIEW,
    "POST /images/<image_id>/retry": CHANGE,
    "GET /history": SEE_JOBS,
    "POST /history": SEE_JOBS,
    "GET /history/news": SEE_JOBS,
    "POST /history/export": SEE_JOBS,
    "POST /history/assign": REVIEW,
    "POST /history/views": SEE_JOBS,
    "GET /history/views/<view_id>": SEE_JOBS,
    "POST /history/views/<view_id>/delete": SEE_JOBS,
    "GET /status": OPERATE,
    "GET /audit": AUDIT,
    "POST /audit": AUDIT,
    "GET /api/v1/jobs": SEE_JOBS,
    "POST /api/v1/jobs": SUBMIT,
    "GET /api/v1/jobs/<job_id>": SEE_JOBS,
    "DELETE /api/v1/jobs/<job_id>": DELETE,
    "GET /api/v1/jobs/<job_id>/images": SEE_IMAGES,
    "POST /api/v1/jobs/<job_id>/images": ADD,
    "GET /api/v1/jobs/<job_id>/rejected": SEE_IMAGES,
    "POST /api/v1/jobs/<job_id>/rejected": ADD,
    "POST /api/v1/jobs/<job_id>/images/known": ADD,
    "POST /api/v1/jobs/<job_id>/cancel": CHANGE,
    "POST /api/v1/jobs/<job_id>/retry": CHANGE,
    "POST /api/v1/images": SUBMIT,
    "GET /api/v1/images/<image_id>": SEE_IMAGES,
    "GET /api/v1/images/<image_id>/file": SEE_IMAGES,
    "GET /api/v1/images/<image_id>/cam": SEE_IMAGES,
    "GET /api/v1/images/<image_id>/picture": SEE_IMAGES,
    "POST /api/v1/images/<image_id>/review": REVIEW,
    "POST /api/v1/images/<image_id>/retry": CHANGE,
    "GET /api/v1/results": SEE_JOBS,
    "POST /api/v1/searches": SEE_JOBS,
}
"""`owner` is the clinician whose job it is, `clinician` another one; the last four are tokens of the admin, each with
one scope."""


@pytest.fixture
def tokens(backends: Backends) -> dict[str, str]:
    """An API token of each, by who it is; `nobody` has none."""
    with backends.database.begin() as session:
        people = {
            "owner": factories.user(session, "owner", Role.CLINICIAN),
            "clinician": factories.user(session, "clinician", Role.CLINICIAN),
            "operator": factories.user(session, "operator", Role.OPERATOR),
            "admin": factories.user(session, "admin", Role.ADMIN),
            "disabled": factories.user(session, "disabled", Role.ADMIN),
        }
        at = now(session)
        made = {name: users.create_token(session, user, now=at) for name, user in people.items()}
        for scope in Scope:
            made[scope] = users.create_token(session, people["admin"], now=at, scopes=[scope])
        people["disabled"].disabled_at = at
    return made


def clients(app: Flask, tokens: Mapping[str, str]) -> dict[str, FlaskClient]:
    clients = {name: app.test_client() for name in EVERYBODY.split()}
    for name, token in tokens.items():
        clients[name].environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return clients


def add_job(backends: Backends, owner: str) -> tuple[int, int]:
    """A job of this user with one image; the ids of both."""
    with backends.database.begin() as session:
        job = factories.job(session, users.find(session, owner))
        (image,) = factories.images(session, job, 1, prefix=f"{job.id}")
        return job.id, image.id


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """('GET /jobs/<job_id>', rule)."""
    for rule in app.url_map.iter_rules():
        address = rule.rule
        for argument, converter in rule._converters.items():
            typed = next((part for part in address.split("/") if part.endswith(f":{argument}>")), "")
            plain = typed if type(converter).__name__ == "PathConverter" else f"<{argument}>"
            address = address.replace(typed, plain) if typed else address
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {address}", rule


def refused(response: TestResponse) -> bool:
    """The sign-in page's own 401 is no refusal: it asks for no other way in."""
    stranger = "WWW-Authenticate" in response.headers or "/login?next=" in response.headers.get("Location", "")
    return stranger or response.status_code == 403


def test_everybody_may_exactly_what_the_table_says(app: Flask, backends: Backends, tokens: dict[str, str]) -> None:
    asking = clients(app, tokens)
    job_id, image_id = add_job(backends, "owner")
    served = dict(routes(app))
    assert served.keys() == ALLOWED.keys()
    for route, rule in served.items():
        for name, client in asking.items():
            ids = {"job_id": job_id, "image_id": image_id, "view_id": 1}
            values = ids | {"sha256": FAKE_SHA256, "filename": "css/base.css"}
            with app.test_request_context():
                _, path = rule.build({key: values[key] for key in rule.arguments}, append_unknown=False) or ("", "")
            response = client.open(path, method=route.split()[0])
            response.close()
            assert refused(response) == (name not in ALLOWED[route].split()), f"{name}: {route}: {response.status}"
            if response.status_code in {204, 303} and "delete" in route.lower():
                job_id, image_id = add_job(backends, "owner")


def test_a_refusal_says_what_is_lacking(app: Flask, backends: Backends, tokens: dict[str, str]) -> None:
    job_id, _ = add_job(backends, "owner")
    asking = clients(app, tokens)

    def detail(name: str, path: str, method: str = "GET") -> str:
        response = asking[name].open(path, method=method)
        assert (response.status_code, response.mimetype) == (403, "application/problem+json")
        return str(response.get_json()["detail"])

    cancel = f"/api/v1/jobs/{job_id}/cancel"
    assert detail("read", cancel, "POST") == "This token may not cancel and retry jobs: it lacks the scope `manage`."
    assert detail("clinician", cancel, "POST") == (
        "A user with the role clinician may not cancel and retry jobs of others."
    )
    page = Page(asking["clinician"].get("/audit"))
    assert (page.status, "may not read the audit log" in page.text) == (403, True)


def test_an_operator_sees_images_of_own_jobs_alone(app: Flask, backends: Backends, tokens: dict[str, str]) -> None:
    theirs, their_image = add_job(backends, "owner")
    ours, our_image = add_job(backends, "operator")
    operator = clients(app, tokens)["operator"]
    assert operator.get(f"/api/v1/images/{our_image}").status_code == 200
    assert operator.get(f"/api/v1/images/{their_image}").status_code == 403
    assert [item["id"] for item in operator.get("/api/v1/results").get_json()["items"]] == [our_image]
    assert f"{theirs}-0.png" not in operator.get("/api/v1/results?format=csv").get_data(as_text=True)
    assert f"{theirs}-0.png" not in operator.get("/history").get_data(as_text=True)
    assert f"{theirs}-0.png" not in operator.get(f"/jobs/{theirs}").get_data(as_text=True)
    assert f"{ours}-0.png" in operator.get(f"/jobs/{ours}").get_data(as_text=True)


@pytest.mark.parametrize(
    ("name", "offered"), [("owner", {"cancel", "delete"}), ("clinician", set()), ("operator", {"cancel"})]
)
def test_a_page_offers_what_its_reader_may(
    app: Flask, backends: Backends, tokens: dict[str, str], name: str, offered: set[str]
) -> None:
    job_id, _ = add_job(backends, "owner")
    page = Page(clients(app, tokens)[name].get(f"/jobs/{job_id}"))
    actions = {form["action"].rpartition("/")[2] for form in page.all("form") if form["method"] == "post"}
    assert actions - {"logout"} == offered
    assert ("/status" in page.links()) == (name == "operator")
    assert "/audit" not in page.links()


@contextmanager
def role_table(monkeypatch: pytest.MonkeyPatch, **routes: Permission) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(permissions, "ROUTES", MappingProxyType({**permissions.ROUTES, **routes}))
        yield


def test_a_route_without_a_permission_stops_the_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.add_url_rule("/new", "new", lambda: "")
    with pytest.raises(RuntimeError, match="disagree about: new"):
        permissions.check_routes(app)
    with role_table(monkeypatch, new=Permission.ACCOUNT):
        permissions.check_routes(app)
    with role_table(monkeypatch, new=Permission.DELETE_JOBS), pytest.raises(RuntimeError, match="names no job"):
        permissions.check_routes(app)


@pytest.mark.parametrize("image_id", ["9" * 30, "4711"])
def test_what_does_not_exist_is_not_found(app: Flask, tokens: dict[str, str], image_id: str) -> None:
    assert clients(app, tokens)["operator"].get(f"/api/v1/images/{image_id}").status_code in {404, 422}


def test_somebody_who_may_not_send_has_nothing_stored(
    app: Flask, backends: Backends, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spool(*_: object) -> None:
        pytest.fail("bytes of somebody who may not send were stored")

    monkeypatch.setattr(type(backends.store), "spool", spool)
    job_id, _ = add_job(backends, "owner")
    files = {"files": (factories.png(), hashlib.sha256().hexdigest())}
    assert clients(app, tokens)["clinician"].post(f"/api/v1/jobs/{job_id}/images", data=files).status_code == 403
