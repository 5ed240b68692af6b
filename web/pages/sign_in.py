"""Signing in and out with name and password."""

from __future__ import annotations

import structlog
from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from db import users
from web.auth import identity
from web.pages.base import blueprint
from web.services import services

WRONG = "Name or password is wrong. Check both and try again."

log = structlog.get_logger()


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    target = _same_site(request.values.get("next", ""))
    if request.method == "GET":
        return redirect(target) if current_user.is_authenticated else _form(target)
    name = request.form.get("name", "")
    with services().database.read() as database:
        user = users.check_password(database, name, request.form.get("password", ""))
    if user is None:
        log.warning("sign_in_failed")
        return _form(target, name=name, error=WRONG), 401
    # A fresh session: nothing planted before the sign-in survives it.
    session.clear()
    session.permanent = True
    login_user(identity(user))
    return redirect(target, 303)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
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
