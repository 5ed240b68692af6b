"""Flask's session, kept in the database: the cookie holds a random id and nothing else.

A cookie is set by a sign-in, and for a browser without one by a page with a form; never by any other answer. A browser
that is not signed in has an id but no row, so that strangers cannot fill the database. CSRF tokens are made of the id,
so they end with the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Any, cast

from flask import Flask, Request, Response, g, session
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from sqlalchemy.orm import Session as DatabaseSession

from core.settings import Settings
from db.accounts import sessions
from db.session import Database, now
from db.tables import BrowserSession, User

CSRF_FIELD = "csrf_token"
"""Where Flask-WTF looks for the secret that it signs its tokens from."""
_ID = re.compile(r"[\w-]{43}", re.ASCII)


class ServerSession(SecureCookieSession):
    """What the pages keep for one browser. `signed_in` is true once its row has been read."""

    def __init__(self, app: Flask, session_id: str | None) -> None:
        super().__init__()
        self.has_cookie = session_id is not None
        self.signed_in = False
        self._app = app
        self._take_id(session_id or sessions.new_id())
        self.set_cookie = self.drop_cookie = False

    def _take_id(self, session_id: str) -> None:
        self.id = session_id
        key = str(self._app.secret_key).encode()
        self.load({CSRF_FIELD: hmac.digest(key, b"csrf " + session_id.encode(), hashlib.sha256).hex()})

    def load(self, data: dict[str, Any]) -> None:
        """Take over the data of the session's row. This is no change, so nothing is written back."""
        self.update(data)
        self.modified = False

    def data(self) -> dict[str, Any]:
        """The data to store in the session's row."""
        return {key: value for key, value in self.items() if key != CSRF_FIELD}

    def become(self, session_id: str) -> None:
        """Become the session of this id, new and empty: what somebody planted before a sign-in does not survive it."""
        self.clear()
        self._take_id(session_id)
        self.signed_in = self.set_cookie = True
        g.pop(CSRF_FIELD, None)

    def forget(self) -> None:
        """Become the session of nobody."""
        self.become(sessions.new_id())
        self.signed_in = self.set_cookie = False
        self.drop_cookie = True


class ServerSessions(SessionInterface):
    def __init__(self, database: Database) -> None:
        self._database = database

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """The session, without reading its row: health and error pages have one too while the database is down."""
        given = request.cookies.get(self.get_cookie_name(app), "")
        return ServerSession(app, given if _ID.fullmatch(given) else None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        ours = cast(ServerSession, session)
        if ours.accessed:
            response.vary.add("Cookie")
        options: dict[str, Any] = {
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
        }
        name = self.get_cookie_name(app)
        if ours.drop_cookie:
            response.delete_cookie(name, **options)
        elif ours.set_cookie:
            response.set_cookie(name, ours.id, max_age=app.permanent_session_lifetime, **options)
        elif not ours.has_cookie and CSRF_FIELD in g:
            response.set_cookie(name, ours.id, **options)
        if ours.modified and ours.signed_in:
            with self._database.begin() as database:
                sessions.write(database, ours.id, ours.data())


def current() -> ServerSession:
    """The session of this request."""
    return cast(ServerSession, cast(Any, session)._get_current_object())


def signed_in(database: DatabaseSession, settings: Settings, at: datetime) -> BrowserSession | None:
    """The row of this request's session, if its user is signed in."""
    ours = current()
    return sessions.find(database, ours.id, sessions.limits(settings), at) if ours.has_cookie else None


def begin(database: DatabaseSession, settings: Settings, user: User) -> None:
    """Sign `user` in, in the caller's transaction, and sign out whoever was signed in with this browser."""
    ours = current()
    sessions.end(database, ours.id)
    ours.become(sessions.start(database, user, sessions.limits(settings), now(database)))


def end(database: DatabaseSession) -> None:
    """Sign out, in the caller's transaction."""
    ours = current()
    sessions.end(database, ours.id)
    ours.forget()
