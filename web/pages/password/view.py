"""Change one's own password."""

from __future__ import annotations

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import InvalidInput
from core.plural import counted
from db.accounts import throttle, users
from db.audit import Action, Kind
from db.session import now
from db.tables import User
from web import sessions
from web.auth import caller, user
from web.dependencies import Dependencies, dependencies
from web.pages.base import blueprint

WRONG = "The present password is wrong. Type it again."
UNEQUAL = "The new password was typed in two ways. Type it again, twice the same."
TOO_MANY = "Too many wrong passwords. Try again in a quarter of an hour."

log = structlog.get_logger()


@blueprint.get("/password")
def password() -> str:
    return _form()


@blueprint.post("/password")
def change_password() -> ResponseReturnValue:
    if request.form.get("new", "") != request.form.get("again", ""):
        return _form(UNEQUAL), 400
    deps = dependencies()
    attempt = throttle.Attempt(user().name, request.remote_addr or "")
    with deps.database.begin() as database:
        if attempt.begin(database, now(database)) is not None:
            return _form(TOO_MANY), 429
    with deps.database.read() as database:  # a write transaction must not last as long as a slow hash
        if users.check_password(database, user().name, request.form.get("present", "")) is None:
            log.warning("password_not_changed", user_id=user().id)
            return _form(WRONG), 400
    try:
        revoked = _change(deps, attempt, request.form.get("new", ""), revoke_tokens="revoke" in request.form)
    except InvalidInput as too_short:
        return _form(too_short.message), 400
    tokens = f" and {counted(revoked, 'API token')} revoked" if revoked else ""
    flash(f"Your password is changed, your other browsers are signed out{tokens}.", "good")
    return redirect(url_for("pages.password"), 303)


def _change(deps: Dependencies, attempt: throttle.Attempt, new: str, *, revoke_tokens: bool) -> int:
    """Set the password and end all sessions but this one; how many tokens were revoked."""
    with deps.database.begin() as database:
        own = database.get_one(User, user().id)
        users.set_password(database, own, new, but=sessions.current().id)
        attempt.succeeded(database)
        caller().record(database, Action.PASSWORD_SET, Kind.USER, own.id)
        revoked = users.revoke_tokens(database, own) if revoke_tokens else 0
        if revoked:
            caller().record(database, Action.TOKEN_REVOKED, Kind.USER, own.id, f"{revoked} tokens")
        return revoked


def _form(error: str = "") -> str:
    with dependencies().database.read() as database:
        tokens = users.count_tokens(database, database.get_one(User, user().id))
    return render_template("password/view.html", error=error, tokens=tokens, min_chars=users.MIN_PASSWORD_CHARS)
