"""People and their API tokens. Passwords are argon2id hashes; tokens are random and only their sha256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.errors import Conflict, InvalidInput, NotFound
from db.accounts import sessions
from db.states import Role, Scope
from db.tables import Token, User

TOKEN_PREFIX = "pns_"  # noqa: S105  # lets secret scanners recognise a leaked token
MIN_PASSWORD_CHARS = 12

_hasher = PasswordHasher()  # RFC 9106, low-memory profile
_NO_SUCH_USER = _hasher.hash(secrets.token_hex())
"""Verified when the name is unknown, so that the answer takes as long as for a known one."""


def named(session: Session, name: str) -> User | None:
    return session.scalars(select(User).where(User.name == name)).one_or_none()


def find(session: Session, name: str) -> User:
    """Raises NotFound: there is no such user."""
    user = named(session, name)
    if user is None:
        raise NotFound(f"There is no user named {name!r}; see `pneumoscreen user list`.")
    return user


def everyone(session: Session) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.name)).all()


def add_user(session: Session, *, name: str, role: Role, password: str | None, now: datetime) -> User:
    """A new user; without a password, one that can only use tokens.

    Raises:
        Conflict: there is a user of this name.
        InvalidInput: the name does not have 1 to 64 characters, or the password is too short.
    """
    if not 1 <= len(name) <= 64:
        raise InvalidInput("A user name has 1 to 64 characters.")
    if session.scalars(select(User.id).where(User.name == name)).one_or_none() is not None:
        raise Conflict(f"There is already a user named {name!r}.")
    user = User(name=name, role=role, password_hash=None, created_at=now)
    if password is not None:
        user.password_hash = _hashed(password)
    session.add(user)
    session.flush()
    return user


def set_password(session: Session, user: User, password: str, *, but: str | None = None) -> None:
    """Give `user` a new password and end all other sessions, except that of the id `but`. Tokens stay valid.

    Raises:
        InvalidInput: the password is shorter than 12 characters.
    """
    user.password_hash = _hashed(password)
    sessions.end_all(session, user, but=but)


def _hashed(password: str) -> str:
    if len(password) < MIN_PASSWORD_CHARS:
        raise InvalidInput(f"A password has at least {MIN_PASSWORD_CHARS} characters.")
    return _hasher.hash(password)


def disable(session: Session, user: User, now: datetime) -> None:
    """Disable `user`: all sessions end, and tokens are refused from now on."""
    user.disabled_at = user.disabled_at or now
    sessions.end_all(session, user)


def check_password(session: Session, name: str, password: str) -> User | None:
    """The enabled user of this name and password, or None: which of the two was wrong is not told."""
    user = named(session, name)
    try:
        _hasher.verify((user and user.password_hash) or _NO_SUCH_USER, password)
    except VerificationError:
        return None
    return user if user is not None and user.disabled_at is None else None


def unchanged(session: Session, user: User) -> bool:
    """Whether `user`, read before, has the same password and is not disabled; both stay so until the transaction ends.

    A session that begins with a password must not outlive the change that would have ended it.
    """
    present = session.get_one(User, user.id, with_for_update=True)
    return present.password_hash == user.password_hash and present.disabled_at is None


def create_token(
    session: Session, user: User, *, now: datetime, days: int | None = None, scopes: Iterable[Scope] | None = None
) -> str:
    """A new API token of `user`, in the clear for this one time.

    Without `days` it does not expire; without `scopes` it may do all that its user may do.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires_at = None if days is None else now + timedelta(days=days)
    words = None if scopes is None else " ".join(sorted(set(scopes)))
    session.add(
        Token(user_id=user.id, token_sha256=_digest(token), created_at=now, expires_at=expires_at, scopes=words)
    )
    return token


def check_token(session: Session, token: str, now: datetime) -> Token | None:
    """The token's row with its user, unless it has expired or the user is disabled."""
    row = session.scalars(select(Token).where(Token.token_sha256 == _digest(token))).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return row if row.user.disabled_at is None else None


def scopes_of(token: Token) -> frozenset[Scope] | None:
    """The scopes of a token; None: it may do all that its user may do."""
    return None if token.scopes is None else frozenset(map(Scope, token.scopes.split()))


def tokens(session: Session) -> Sequence[Token]:
    """Every token with its user, oldest first."""
    return session.scalars(select(Token).order_by(Token.id)).all()


def count_tokens(session: Session, user: User) -> int:
    """How many tokens `user` has, expired ones included."""
    return session.scalars(select(func.count()).select_from(Token).where(Token.user_id == user.id)).one()


def revoke_tokens(session: Session, user: User, *, token_id: int | None = None) -> int:
    """Delete all tokens of `user`, or the one of this id; how many there were."""
    wanted = delete(Token).where(Token.user_id == user.id)
    if token_id is not None:
        wanted = wanted.where(Token.id == token_id)
    return len(session.scalars(wanted.returning(Token.id)).all())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
