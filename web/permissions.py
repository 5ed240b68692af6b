"""Who may do what: one table of roles, one of routes. A route that is not in it stops the application from starting.

SECURITY.md explains the choices. `web.auth` asks `enforce` before any view runs; a view asks `may` only to leave out
what its reader could not use, and `visible_to` to list no more than the reader may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, Protocol

from flask import Flask, abort, request
from sqlalchemy import select

from db.session import Database
from db.states import Role, Scope
from db.tables import Image, Job
from services.jobs import MAX_ID


class Reach(Enum):
    """Which jobs, and their images, a permission extends to."""

    NONE = 0
    OWN = 1
    ANY = 2


class Permission(StrEnum):
    PUBLIC = "use without signing in"
    ACCOUNT = "use when signed in"
    SEE_JOBS = "see jobs and their progress"
    SEE_IMAGES = "see images, file names and results"
    LIST_IMAGES = "list images of several jobs"
    SUBMIT = "start jobs"
    ADD_IMAGES = "add images to a job"
    REVIEW = "review results"
    ASSIGN = "assign images to readers"
    CHANGE_JOBS = "cancel and retry jobs"
    DELETE_JOBS = "delete jobs"
    OPERATE = "see the status of the service"
    AUDIT = "read the audit log"


P, R = Permission, Reach

ROLES: Mapping[Role, Mapping[Permission, Reach]] = {
    Role.CLINICIAN: {
        P.SEE_JOBS: R.ANY,
        P.SEE_IMAGES: R.ANY,
        P.LIST_IMAGES: R.ANY,
        P.SUBMIT: R.ANY,
        P.ADD_IMAGES: R.OWN,
        P.REVIEW: R.ANY,
        P.ASSIGN: R.ANY,
        P.CHANGE_JOBS: R.OWN,
        P.DELETE_JOBS: R.OWN,
    },
    Role.OPERATOR: {
        P.SEE_JOBS: R.ANY,
        P.SEE_IMAGES: R.OWN,
        P.LIST_IMAGES: R.OWN,
        P.SUBMIT: R.ANY,
        P.ADD_IMAGES: R.OWN,
        P.CHANGE_JOBS: R.ANY,
        P.DELETE_JOBS: R.OWN,
        P.OPERATE: R.ANY,
    },
    Role.ADMIN: dict.fromkeys(Permission, R.ANY),
}

SCOPES: Mapping[Permission, Scope] = {
    P.SEE_JOBS: Scope.READ,
    P.SEE_IMAGES: Scope.READ,
    P.LIST_IMAGES: Scope.READ,
    P.SUBMIT: Scope.SUBMIT,
    P.ADD_IMAGES: Scope.SUBMIT,
    P.REVIEW: Scope.REVIEW,
    P.ASSIGN: Scope.REVIEW,
    P.CHANGE_JOBS: Scope.MANAGE,
    P.DELETE_JOBS: Scope.MANAGE,
    P.OPERATE: Scope.MANAGE,
    P.AUDIT: Scope.MANAGE,
}
"""What a token with scopes needs besides its user's role. PUBLIC and ACCOUNT need none."""

ROUTES: Mapping[str, Permission] = {
    "static": P.PUBLIC,
    "pages.login": P.PUBLIC,
    "health.healthz": P.PUBLIC,
    "health.readyz": P.PUBLIC,
    "health.metrics": P.PUBLIC,
    "pages.logout": P.ACCOUNT,
    "pages.password": P.ACCOUNT,
    "pages.change_password": P.ACCOUNT,
    "pages.model": P.ACCOUNT,
    "api.whoami": P.ACCOUNT,
    "api_docs.static": P.PUBLIC,
    "api_docs.document": P.ACCOUNT,
    "api_docs.page": P.ACCOUNT,
    "pages.home": P.SEE_JOBS,
    "pages.jobs": P.SEE_JOBS,
    "pages.job": P.SEE_JOBS,
    "api.list_jobs": P.SEE_JOBS,
    "api.read_job": P.SEE_JOBS,
    "pages.image": P.SEE_IMAGES,
    "api.read_image": P.SEE_IMAGES,
    "api.read_image_file": P.SEE_IMAGES,
    "api.read_image_cam": P.SEE_IMAGES,
    "api.read_image_picture": P.SEE_IMAGES,
    "api.list_job_images": P.SEE_IMAGES,
    "api.list_rejected": P.SEE_IMAGES,
    "pages.history": P.LIST_IMAGES,
    "pages.search_history": P.LIST_IMAGES,
    "pages.export_selection": P.LIST_IMAGES,
    "pages.history_news": P.LIST_IMAGES,
    "pages.save_view": P.LIST_IMAGES,
    "pages.saved_view": P.LIST_IMAGES,
    "pages.delete_view": P.LIST_IMAGES,
    "pages.assign_images": P.ASSIGN,
    "api.keep_search": P.LIST_IMAGES,
    "api.list_results": P.LIST_IMAGES,
    "pages.upload": P.SUBMIT,
    "api.create_job": P.SUBMIT,
    "api.upload_image": P.SUBMIT,
    "api.upload_images": P.ADD_IMAGES,
    "api.add_known_images": P.ADD_IMAGES,
    "api.add_rejected": P.ADD_IMAGES,
    "pages.cancel_job": P.CHANGE_JOBS,
    "pages.retry_job": P.CHANGE_JOBS,
    "pages.retry_image": P.CHANGE_JOBS,
    "api.cancel_job": P.CHANGE_JOBS,
    "api.retry_job": P.CHANGE_JOBS,
    "api.retry_image": P.CHANGE_JOBS,
    "api.review_image": P.REVIEW,
    "pages.review": P.REVIEW,
    "api.delete_job": P.DELETE_JOBS,
    "pages.delete_job": P.DELETE_JOBS,
    "pages.status": P.OPERATE,
    "pages.audit": P.AUDIT,
    "pages.search_audit": P.AUDIT,
}
"""Endpoint -> permission. The application does not start while an endpoint is missing here, or does not exist."""


class Principal(Protocol):
    """A signed-in user. `scopes` is None for a session, and for a token that may do all that its user may do."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> Role: ...
    @property
    def scopes(self) -> frozenset[Scope] | None: ...


def check_routes(app: Flask) -> None:
    """Check `ROUTES` against the routes of `app`.

    Raises:
        RuntimeError: a route has no permission, a permission no route, or a route for own jobs names no job.
    """
    served = {rule.endpoint for rule in app.url_map.iter_rules()}
    if wrong := served ^ ROUTES.keys():
        raise RuntimeError(f"web/permissions.py and the routes disagree about: {', '.join(sorted(wrong))}.")
    for rule in app.url_map.iter_rules():
        permission = ROUTES[rule.endpoint]
        if _may_be_own(permission) and not rule.arguments & {"job_id", "image_id"}:
            raise RuntimeError(f"{rule.endpoint} is for some users' own jobs only, and its address names no job.")


def _may_be_own(permission: Permission) -> bool:
    """Whether some role has it for its own jobs only. A list is no such route: it leaves out what is not visible."""
    return permission is not P.LIST_IMAGES and any(of.get(permission) is R.OWN for of in ROLES.values())


def is_public(endpoint: str) -> bool:
    return ROUTES.get(endpoint) is P.PUBLIC


def reach(who: Principal, permission: Permission) -> Reach:
    """How far a permission of this user, with this token, extends."""
    if permission in (P.PUBLIC, P.ACCOUNT):
        return R.ANY
    if who.scopes is not None and SCOPES[permission] not in who.scopes:
        return R.NONE
    return ROLES[who.role].get(permission, R.NONE)


def may(who: Principal, permission: Permission, owner_id: int) -> bool:
    """Whether `who` has the permission for a job of the user `owner_id`."""
    extent = reach(who, permission)
    return extent is R.ANY or (extent is R.OWN and owner_id == who.id)


def visible_to(who: Principal) -> int | None:
    """The user whose images lists may show to `who`; None: images of all users."""
    return None if reach(who, P.LIST_IMAGES) is R.ANY else who.id


def is_reader(role: Role) -> bool:
    """Whether users of this role review results, so that images can be assigned to them."""
    return P.REVIEW in ROLES[role]


def may_open(who: Principal, endpoint: str) -> bool:
    """Whether a link to this page would lead `who` anywhere."""
    return reach(who, ROUTES[endpoint]) is not R.NONE


def enforce(database: Database, who: Principal, endpoint: str) -> None:
    """End the request with 403 unless `who` may make it. What does not exist is left to the view's 404."""
    permission = ROUTES[endpoint]
    extent = reach(who, permission)
    if extent is R.NONE:
        _refuse(who, permission)
    if extent is R.OWN and permission is not P.LIST_IMAGES:
        owner_id = _owner(database, request.view_args or {})
        if owner_id is not None and owner_id != who.id:
            _refuse(who, permission)


def _owner(database: Database, arguments: Mapping[str, Any]) -> int | None:
    """Whose job the address names, by itself or through an image; None if there is no such thing."""
    if "image_id" in arguments:
        query = select(Job.user_id).join(Image, Image.job_id == Job.id).where(Image.id == arguments["image_id"])
    else:
        query = select(Job.user_id).where(Job.id == arguments["job_id"])
    if max(arguments.values()) > MAX_ID:
        return None
    with database.read() as session:
        return session.scalars(query).one_or_none()


def _refuse(who: Principal, permission: Permission) -> None:
    if who.scopes is not None and SCOPES[permission] not in who.scopes:
        abort(403, f"This token may not {permission}: it lacks the scope `{SCOPES[permission]}`.")
    whose = " of others" if ROLES[who.role].get(permission) is R.OWN else ""
    abort(403, f"A user with the role {who.role} may not {permission}{whose}.")
