"""Signing in and out with name and password, and how a request of nobody who is signed in is answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from db import audit
from db.accounts import throttle, users
from db.audit import Action, Actor
from db.session import now
from db.tables import User
from web import errors, sessions, unsent_forms
from web.auth import SAFE_METHODS, NotSignedIn, StaleForm, caller
from web.dependencies import Dependencies, dependencies
from web.pages.base import blueprint
from web.problems import wants_json
from web.quantities import duration

WRONG = "Name or password is wrong. Check both and try again."
TOO_MANY = "Too many failed sign-ins. Wait {wait} and try again. Whoever is signed in already is not affected."
STALE = "This page was open for too long, or from before another sign-in. Sign in now."
NO_COOKIE = (
    "Your browser sent no cookie, and nobody stays signed in without one. Allow cookies for this site, then sign in."
)
HTTPS_ONLY = (
    "Your browser sent no cookie, and without one nobody stays signed in. This service is used over HTTPS only: open "
    "its address with https:// in front. If it has that already, allow cookies for this site and try again."
)
ENDED = "You are not signed in any more, so nothing was done. Sign in and press the button again."
ENDED_WITH_TEXT = "You are not signed in any more, so nothing was saved. Sign in: what you typed is kept."
ENDED_WITH_FILES = "You are not signed in any more, so nothing was sent. Sign in and choose the files again."
CONFIRM = "Nothing is saved yet, for your session had ended. Check what you typed and press the button again."
AGAIN = "Nothing was done, for your session had ended. Check this page and press the button again."
BEARER = {"WWW-Authenticate": "Bearer"}

log = structlog.get_logger()


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    target = _target()
    if request.method == "GET":
        return redirect(target) if current_user.is_authenticated else _form(target)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    deps = dependencies()
    attempt = throttle.Attempt(name, request.remote_addr or "")
    with deps.database.begin() as database:
        wait_s = attempt.begin(database, now(database))
    if wait_s is not None:
        log.warning("sign_in_throttled", wait_s=wait_s)
        words = TOO_MANY.format(wait=duration(timedelta(seconds=wait_s)))
        return _form(target, error=words), 429, {"Retry-After": str(wait_s)}
    if not _signed_in(deps, attempt, name, password):
        log.warning("sign_in_failed")
        return _form(target, error=WRONG), 401
    if fields := unsent_forms.from_sign_in(target):
        unsent_forms.keep(target, fields)
        flash(CONFIRM, "warning")
    return redirect(target, 303)


def _signed_in(deps: Dependencies, attempt: throttle.Attempt, name: str, password: str) -> bool:
    """Begin a session if the password is right; the audit log has the attempt either way.

    A name that no user has is not written down: now and then it is a password, typed into the wrong field.
    """
    with deps.database.read() as database:  # a write transaction must not last as long as a slow hash
        user = users.check_password(database, name, password)
    with deps.database.begin() as database:
        if user is not None and not users.unchanged(database, user):
            user = None
        meant: User | None = user or users.named(database, name)
        who = Actor("(unknown)") if meant is None else Actor(meant.name, meant.id, meant.role)
        if user is not None:
            attempt.succeeded(database)
            sessions.begin(database, deps.settings, user)
        action = Action.SIGN_IN_FAILED if user is None else Action.SIGNED_IN
        audit.record(database, replace(who, address=request.remote_addr), action, now(database))
    return user is not None


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    with dependencies().database.begin() as database:
        caller().record(database, Action.SIGNED_OUT)
        sessions.end(database)
    return redirect(url_for("pages.login"), 303)


@blueprint.app_errorhandler(NotSignedIn)
def ask_to_sign_in(error: NotSignedIn) -> ResponseReturnValue:
    """Show the sign-in form: it leads to the page that was asked for, and carries what was typed into a form."""
    if wants_json():
        return errors.http_error(error)
    if request.method in SAFE_METHODS:
        return redirect(url_for("pages.login", next=_asked_for()))
    words = ENDED_WITH_FILES if request.mimetype == "multipart/form-data" else ENDED
    fields = unsent_forms.typed()
    return _form(unsent_forms.page_of_form(), error=ENDED_WITH_TEXT if fields else words, fields=fields), 401, BEARER


@blueprint.app_errorhandler(StaleForm)
def show_form_again(error: StaleForm) -> ResponseReturnValue:
    """Show a form again as it was filled in: its session has ended, and its user has signed in anew since."""
    if wants_json():
        return errors.http_error(error)
    if request.endpoint == "pages.login":
        return _form(_target(), error=_why_stale()), 400
    if request.endpoint not in unsent_forms.FORMS or not unsent_forms.same_origin():
        return errors.http_error(error)
    page, fields = unsent_forms.page_of_form(), unsent_forms.typed()
    if fields:
        unsent_forms.keep(page, fields)
    flash(CONFIRM if fields else AGAIN, "warning")
    return redirect(page, 303)


def _asked_for() -> str:
    """The address of this request, without a name that somebody wrote into it."""
    shown = [(name, value) for name, value in request.args.items(multi=True) if name not in unsent_forms.NAMES]
    query = urlencode(shown)
    return f"{request.path}?{query}" if query else request.path


def _why_stale() -> str:
    if sessions.current().has_cookie:
        return STALE
    return HTTPS_ONLY if dependencies().settings.security.cookie_secure else NO_COOKIE


def _form(target: str, error: str = "", fields: dict[str, str] | None = None) -> str:
    typed = unsent_forms.from_sign_in(target) if fields is None else fields
    carried = {unsent_forms.PREFIX + field: value for field, value in typed.items()}
    name = request.form.get("name", "") if request.endpoint == "pages.login" else ""
    return render_template("sign_in/view.html", next=target, name=name, error=error, carried=carried)


def _target() -> str:
    """The page of this site that `next` names, else the home page.

    Browsers read `//host` and `/\\host` as another site, and drop control characters before they look.
    """
    target = request.values.get("next", "")
    plain = target.startswith("/") and not target.startswith("//")
    if plain and "\\" not in target and not any(ord(c) < 0x20 or ord(c) == 0x7F for c in target):
        return target if unsent_forms.endpoint_of(target) not in ("", "pages.login") else url_for("pages.home")
    return url_for("pages.home")
