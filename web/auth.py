"""Who sends a request: a browser with a signed-in session, or a program with a token.

`web.permissions` says what each of them may do.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, g, request
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import BadRequest, Unauthorized
from werkzeug.wrappers import Request
from wtforms import ValidationError

from db.accounts import sessions as rows
from db.accounts import users
from db.session import Database, now
from db.states import Role, Scope
from db.tables import User
from services.caller import Caller
from web import permissions, sessions
from web.dependencies import Dependencies, dependencies

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNATTENDED = "X-Unattended"
"""A page that renews itself sends this header: such a request does not count as use of the session."""


class NotSignedIn(Unauthorized):
    description = "Send `Authorization: Bearer TOKEN` with a token from `pneumoscreen token create`, or sign in."


class StaleForm(BadRequest):
    """The CSRF token is not that of the session: the form is of another site, or older than the session."""

    problem_code = "stale_form"
    description = "The page is from before the last sign-in, or its browser keeps no cookies. Reload it and try again."


@dataclass(frozen=True)
class Identity(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """The user of this request, apart from any database session."""

    id: int
    name: str
    role: Role
    scopes: frozenset[Scope] | None = None
    by_token: bool = False


def install(app: Flask, database: Database) -> None:
    app.session_interface = sessions.ServerSessions(database)
    manager = LoginManager()
    # Not its context processor, which would ask the database while the page that says it is down is rendered.
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = None  # a session bound to an address breaks behind hospital proxies
    manager.request_loader(_identify)
    app.before_request(_check)


def user() -> Identity:
    """The signed-in user of this request."""
    identity: Identity = current_user._get_current_object()
    return identity


def caller() -> Caller:
    """The signed-in user and the client's address, as `services` takes them."""
    who = user()
    return Caller(who.id, who.name, who.role, request.remote_addr)


def check_headers() -> None:
    """Refuse the current request before any of its body is read, if its headers show that its sender may not make it.

    Raises:
        NotSignedIn: it has neither a token nor the cookie of a session.
        Forbidden: its user may not do this.
        StaleForm: its header `X-CSRFToken` is wrong.
    """
    if request.endpoint is None:
        return  # 404 or 405: nothing of ours is shown
    if not permissions.is_public(request.endpoint):
        if not current_user.is_authenticated:
            raise NotSignedIn
        permissions.enforce(dependencies().database, user(), request.endpoint)
    if _needs_csrf_token() and "X-CSRFToken" in request.headers:
        _check_csrf_token(request.headers["X-CSRFToken"])
        g.csrf_checked = True


def _check() -> None:
    check_headers()
    if request.endpoint is not None and _needs_csrf_token() and not g.get("csrf_checked", False):
        # Only now, since it reads the whole form: somebody who may not send files must not have them stored first.
        _check_csrf_token(request.form.get(sessions.CSRF_FIELD))


def _needs_csrf_token() -> bool:
    """Whether the request changes something and its user was identified by a cookie.

    A browser adds the cookie also to a request that another site started, but that site cannot know an API token. A
    header `Authorization` alone proves nothing, since it may hold no valid token.
    """
    if request.method in SAFE_METHODS:
        return False
    return not (current_user.is_authenticated and user().by_token)


def _check_csrf_token(given: str | None) -> None:
    try:
        validate_csrf(given)
    except ValidationError:
        raise StaleForm from None


def _identify(incoming: Request) -> Identity | None:
    """Identify the user by a valid token; without one, by the cookie of a session."""
    deps = dependencies()
    return _by_token(deps, incoming) or _by_session(deps, incoming)


def _by_token(deps: Dependencies, incoming: Request) -> Identity | None:
    scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return None
    with deps.database.read() as database:
        row = users.check_token(database, token.strip(), now(database))
        return _identity(row.user, users.scopes_of(row), by_token=True) if row else None


def _by_session(deps: Dependencies, incoming: Request) -> Identity | None:
    with deps.database.read() as database:
        at = now(database)
        row = sessions.signed_in(database, deps.settings, at)
        if row is None:
            return None
        identity, seen_at = _identity(row.user), row.seen_at
    sessions.current().load(row.data)
    sessions.current().signed_in = True
    if at - seen_at >= rows.TOUCH_EVERY and UNATTENDED not in incoming.headers:
        with deps.database.begin() as database:
            rows.touch(database, sessions.current().id, at)
    return identity


def _identity(user: User, scopes: frozenset[Scope] | None = None, *, by_token: bool = False) -> Identity:
    return Identity(user.id, user.name, user.role, scopes, by_token)
