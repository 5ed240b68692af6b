"""Who the client is to the service."""

from __future__ import annotations

from flask import Response

from db.states import Role
from web.api.base import as_json, blueprint
from web.api.fields import Schema
from web.auth import user


class WhoAmI(Schema):
    name: str
    role: Role


@blueprint.get("/whoami", responses={200: WhoAmI})
def whoami() -> Response:
    """The user whose token or session this is."""
    return as_json(WhoAmI(name=user().name, role=user().role))
