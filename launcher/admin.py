"""The first administrator of an embedded service, and the token that commands on this machine use."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete

from db.accounts import users
from db.audit import Action, Kind, record_command
from db.session import Database, now
from db.states import Role
from db.tables import User, Worker
from launcher.datadir import read_secret, write_secret

NAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """Where the secrets are; `password` only when it was made just now."""

    password_path: Path
    token_path: Path
    password: str | None


def ensure(database: Database, data_dir: Path) -> FirstAdmin:
    """Create the user `admin` and its token unless they exist. Files are written before the commit: after a crash
    in between the next start finds the file and uses it, so a password never goes missing.

    Raises:
        ConfigurationError: a secret's file cannot be read.
    """
    password_path, token_path = data_dir / "admin-password", data_dir / "admin-token"
    with database.begin() as session:
        existing = next((user for user in users.everyone(session) if user.name == NAME), None)
        password = None
        if existing is None:
            password = read_secret(password_path) or secrets.token_urlsafe(18)
            write_secret(password_path, password)
            existing = users.add_user(session, name=NAME, role=Role.ADMIN, password=password, now=now(session))
            record_command(session, Action.USER_ADDED, Kind.USER, existing.id, Role.ADMIN)
    _ensure_token(database, existing, token_path)
    return FirstAdmin(password_path, token_path, password)


def forget_workers(database: Database) -> None:
    """Drop all rows of workers. For a database behind a lock that we hold: whoever is listed was killed, and would
    count as ready for some seconds more.
    """
    with database.begin() as session:
        session.execute(delete(Worker))


def _ensure_token(database: Database, admin: User, path: Path) -> None:
    token = read_secret(path)
    with database.begin() as session:
        if token is not None and users.check_token(session, token, now(session)) is not None:
            return
        if admin.disabled_at is not None:  # somebody shut this door on purpose
            return
        token = users.create_token(session, admin, now=now(session))
        record_command(session, Action.TOKEN_CREATED, Kind.USER, admin.id, "all")
    write_secret(path, token)
