"""`pneumoscreen token`: what programs use instead of a password."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import database
from cli.table import print_rows
from core.errors import NotFound
from db import audit
from db import session as db_session
from db.accounts import users
from db.states import Scope

app = typer.Typer(
    help="Create, list and revoke API tokens.",
    no_args_is_help=True,
    add_completion=False,
)

User = Annotated[str, typer.Argument(metavar="NAME", help="The user whose token it is.", show_default=False)]


@app.command()
def create(
    name: User,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; default: never.")] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may be used for, may be given several times; default: all that the user may."),
    ] = None,
) -> None:
    """Create a token and print it, this once: only its hash is kept.

    Examples:

      pneumoscreen token create maria --days 90

      pneumoscreen token create pacs-gateway --scope submit --scope read

      export PNEUMOSCREEN_TOKEN=$(pneumoscreen token create pacs-gateway)

    Scopes: read (jobs, images, results), submit (send images), review (say what you think of a result), manage
    (cancel, retry and delete jobs, the status page, the audit log). None goes beyond what the user's role may.
    """
    with database.connected() as open_database, open_database.begin() as session:
        user = users.find(session, name)
        token = users.create_token(session, user, now=db_session.now(session), days=days, scopes=scope or None)
        audit.record_command(session, audit.Action.TOKEN_CREATED, audit.Kind.USER, user.id, " ".join(scope or ["all"]))
    typer.echo(token)


@app.command(name="list")
def list_() -> None:
    """List the tokens by number, never the tokens themselves.

    Example:

      pneumoscreen token list
    """
    with database.connected() as open_database, open_database.read() as session:
        time = db_session.now(session)
        rows = []
        for token in users.tokens(session):
            expires = "never" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
            expired = token.expires_at is not None and token.expires_at <= time
            state = "disabled user" if token.user.disabled_at else "expired" if expired else "active"
            since, scopes = f"{token.created_at:%Y-%m-%d}", token.scopes or "all"
            rows.append((str(token.id), token.user.name, since, expires, scopes, state))
    print_rows(("number", "user", "since", "expires", "scopes", "state"), rows)


@app.command()
def revoke(
    name: User,
    number: Annotated[
        int | None, typer.Option(help="Only the token with this number of `token list`; default: all of the user's.")
    ] = None,
) -> None:
    """Revoke a user's tokens: from now on they are refused.

    Examples:

      pneumoscreen token revoke pacs-gateway

      pneumoscreen token revoke maria --number 3
    """
    with database.connected() as open_database, open_database.begin() as session:
        user = users.find(session, name)
        count = users.revoke_tokens(session, user, token_id=number)
        if number is not None and count == 0:
            raise NotFound(f"{name!r} has no token number {number}; see `pneumoscreen token list`.")
        if count:
            audit.record_command(session, audit.Action.TOKEN_REVOKED, audit.Kind.USER, user.id, f"{count} tokens")
    typer.echo(f"revoked {count} token{'' if count == 1 else 's'} of {name!r}")
