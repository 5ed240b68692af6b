"""Who is asking: a browser with a signed-in session or a program with a token; `web.permissions` says what each may."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NoReturn

from flask import Flask, abort, current_app, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from werkzeug.wrappers import Request

from db import users
from db.models import User
from db.session import now
from db.states import Role, Scope
from web import permissions
from web.services import services


@dataclass(frozen=True)
class Identity(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """The user of this request, apart from any database session."""

    id: int
    name: str
    role: Role
    session_id: str
    scopes: frozenset[Scope] | None = None

    def get_id(self) -> str:
        """What the session cookie holds: it changes with the password, which so ends all sessions."""
        return self.session_id


def identity(user: User, scopes: frozenset[Scope] | None = None) -> Identity:
    fingerprint = hashlib.sha256((user.password_hash or "").encode()).hexdigest()[:16]
    return Identity(user.id, user.name, user.role, f"{user.id}.{fingerprint}", scopes)


def install(app: Flask) -> None:
    manager = LoginManager()
    # Not its context processor, which would ask the database while the page that says it is down is rendered.
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = None  # a session bound to an address breaks behind hospital proxies
    manager.user_loader(_from_session)
    manager.request_loader(_from_token)
    app.before_request(_check)


def user() -> Identity:
    """The signed-in user of this request."""
    found: Identity = current_user._get_current_object()
    return found


def _from_session(session_id: str) -> Identity | None:
    user_id, _, _ = session_id.partition(".")
    with services().database.read() as session:
        found = session.get(User, int(user_id)) if user_id.isdecimal() else None
        if found is None or found.disabled_at is not None:
            return None
        known = identity(found)
    return known if known.session_id == session_id else None


def _from_token(incoming: Request) -> Identity | None:
    if not _has_token(incoming):
        return None
    with services().database.read() as session:
        found = users.check_token(session, incoming.headers["Authorization"][len("Bearer ") :].strip(), now(session))
        return identity(found.user, users.scopes_of(found)) if found else None


def _has_token(incoming: Request) -> bool:
    return incoming.headers.get("Authorization", "").startswith("Bearer ")


def check_headers() -> None:
    """End the current request, of whose body nothing has been read, if its user may not make it."""
    if request.endpoint is None:
        return  # 404 or 405: nothing of ours is shown
    if not permissions.is_public(request.endpoint):
        if not current_user.is_authenticated:
            _ask_to_sign_in()
        permissions.enforce(user(), request.endpoint)


def _check() -> None:
    check_headers()
    # Only now: it reads the form.
    if request.endpoint is not None and not _has_token(request) and request.method not in {"GET", "HEAD", "OPTIONS"}:
        _check_csrf()


def _ask_to_sign_in() -> NoReturn:
    if request.path.startswith("/api/") or request.path == "/openapi.json":
        abort(401, "Send `Authorization: Bearer TOKEN` with a token from `pneumoscreen token create`, or sign in.")
    abort(redirect(url_for("pages.login", next=request.full_path.rstrip("?"))))


def _check_csrf() -> None:
    """A browser adds its cookie to a request that another site started; a token of ours it cannot know."""
    current_app.extensions["csrf"].protect()
