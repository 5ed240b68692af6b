"""Signing in and out with name and password."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog
from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from db import audit, throttle, users
from db.audit import Action, Actor
from db.models import User
from db.session import now
from web.audit import actor
from web.auth import identity
from web.pages.base import blueprint
from web.quantities import duration
from web.services import services

WRONG = "Name or password is wrong. Check both and try again."
TOO_MANY = "Too many failed sign-ins. Wait {wait} and try again. Whoever is signed in already is not affected."

log = structlog.get_logger()


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    target = _same_site(request.values.get("next", ""))
    if request.method == "GET":
        return redirect(target) if current_user.is_authenticated else _form(target)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    attempt = throttle.Attempt(name, request.remote_addr or "")
    with services().database.begin() as database:
        wait_s = attempt.begin(database, now(database))
    if wait_s is not None:
        log.warning("sign_in_throttled", wait_s=wait_s)
        words = TOO_MANY.format(wait=duration(timedelta(seconds=wait_s)))
        return _form(target, name=name, error=words), 429, {"Retry-After": str(wait_s)}
    user = _checked(attempt, name, password)
    if user is None:
        log.warning("sign_in_failed")
        return _form(target, name=name, error=WRONG), 401
    # A fresh session: nothing planted before the sign-in survives it.
    session.clear()
    session.permanent = True
    login_user(identity(user))
    return redirect(target, 303)


def _checked(attempt: throttle.Attempt, name: str, password: str) -> User | None:
    """The user if the password is right; either way it is in the audit log. A name of nobody is not written down:
    now and then it is a password."""
    with services().database.read() as database:  # no transaction that writes lasts as long as a slow hash
        user = users.check_password(database, name, password)
    with services().database.begin() as database:
        meant = user or users.named(database, name)
        who = Actor("(unknown)") if meant is None else Actor(meant.name, meant.id, meant.role)
        if user is not None:
            attempt.succeeded(database)
        action = Action.SIGN_IN_FAILED if user is None else Action.SIGNED_IN
        audit.record(database, replace(who, address=request.remote_addr), action, now(database))
    return user


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    with services().database.begin() as database:
        audit.record(database, actor(), Action.SIGNED_OUT, now(database))
    logout_user()
    session.clear()
    return redirect(url_for("pages.login"), 303)


def _form(target: str, name: str = "", error: str = "") -> str:
    return render_template("login.html", next=target, name=name, error=error)


def _same_site(target: str) -> str:
    """`target` if it is a path of this site, else the home page.

    Browsers read `//host` and `/\\host` as another site, and drop control characters before they look.
    """
    plain = target.startswith("/") and not target.startswith("//")
    if plain and "\\" not in target and not any(ord(c) < 0x20 or ord(c) == 0x7F for c in target):
        return target
    return url_for("pages.home")
