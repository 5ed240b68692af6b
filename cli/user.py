"""`pneumoscreen user`: who may sign in."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from cli import database
from cli.table import print_rows
from db import audit
from db import session as db_session
from db.accounts import sessions, users
from db.states import Role

app = typer.Typer(
    help="Add, list and disable the people who may sign in.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(help="The user's name, as typed at sign-in.", show_default=False)]


@app.command()
def add(
    name: Name,
    role: Annotated[
        Literal["clinician", "operator", "admin"],
        typer.Option(help="What the person may do: see SECURITY.md."),
    ] = "clinician",
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For a program that only uses a token and never signs in.")
    ] = False,
) -> None:
    """Add a user; asks for the password.

    Without a terminal the password is the first line of standard input.

    Examples:

      pneumoscreen user add maria --role clinician

      pneumoscreen user add pacs-gateway --no-password
    """
    with database.connected() as open_database:
        password = None if no_password else read_password()
        with open_database.begin() as session:
            user = users.add_user(session, name=name, role=Role(role), password=password, now=db_session.now(session))
            audit.record_command(session, audit.Action.USER_ADDED, audit.Kind.USER, user.id, role)
    typer.echo(f"added {role} {name!r}")


@app.command(name="list")
def list_() -> None:
    """List the users, their roles, and who is disabled.

    Example:

      pneumoscreen user list
    """
    with database.connected() as open_database, open_database.read() as session:
        rows = [
            (user.name, user.role.value, f"{user.created_at:%Y-%m-%d}", "disabled" if user.disabled_at else "active")
            for user in users.everyone(session)
        ]
    print_rows(("name", "role", "since", "state"), rows)


@app.command()
def password(
    name: Name,
    revoke_tokens: Annotated[
        bool | None,
        typer.Option("--revoke-tokens/--keep-tokens", help="What becomes of the user's API tokens; default: asks."),
    ] = None,
) -> None:
    """Set a user's password; asks for it like `user add`. All browsers of the user are signed out.

    API tokens are not made from the password and stay, unless you revoke them: do, if somebody else may have known it.

    Examples:

      pneumoscreen user password maria

      pneumoscreen user password maria --revoke-tokens
    """
    with database.connected() as open_database:
        with open_database.read() as session:
            tokens = users.count_tokens(session, users.find(session, name))  # before asking
        new = read_password()
        revoke = _asked_to_revoke(name, tokens) if revoke_tokens is None else revoke_tokens
        with open_database.begin() as session:
            user = users.find(session, name)
            users.set_password(session, user, new)
            audit.record_command(session, audit.Action.PASSWORD_SET, audit.Kind.USER, user.id)
            revoked = users.revoke_tokens(session, user) if revoke else 0
            if revoked:
                audit.record_command(session, audit.Action.TOKEN_REVOKED, audit.Kind.USER, user.id, f"{revoked} tokens")
            left = users.count_tokens(session, user)
    typer.echo(f"set the password of {name!r}; all sessions ended; API tokens: {revoked} revoked, {left} left")


def _asked_to_revoke(name: str, tokens: int) -> bool:
    """On a terminal, if there are any; else they stay, as programs may depend on them."""
    if not tokens or not _on_terminal():
        return False
    answer: bool = typer.confirm(f"{name!r} has {tokens} API token{'' if tokens == 1 else 's'}. Revoke?", default=False)
    return answer


@app.command(name="sign-out")
def sign_out(name: Name) -> None:
    """End all sessions of a user: every browser has to sign in again. Tokens stay.

    Example:

      pneumoscreen user sign-out maria
    """
    with database.connected() as open_database, open_database.begin() as session:
        user = users.find(session, name)
        ended = sessions.end_all(session, user)
        audit.record_command(session, audit.Action.SIGNED_OUT, audit.Kind.USER, user.id, f"{ended} sessions")
    typer.echo(f"ended {ended} session{'' if ended == 1 else 's'} of {name!r}")


@app.command()
def disable(name: Name) -> None:
    """Lock a user out, sessions and tokens included. Their jobs and results stay.

    Example:

      pneumoscreen user disable maria
    """
    with database.connected() as open_database, open_database.begin() as session:
        user = users.find(session, name)
        users.disable(session, user, db_session.now(session))
        audit.record_command(session, audit.Action.USER_DISABLED, audit.Kind.USER, user.id)
    typer.echo(f"disabled {name!r}")


@app.command()
def enable(name: Name) -> None:
    """Let a disabled user in again.

    Example:

      pneumoscreen user enable maria
    """
    with database.connected() as open_database, open_database.begin() as session:
        user = users.find(session, name)
        user.disabled_at = None
        audit.record_command(session, audit.Action.USER_ENABLED, audit.Kind.USER, user.id)
    typer.echo(f"enabled {name!r}")


def read_password() -> str:
    """From the terminal, twice and unseen; else one line of standard input. Never an argument: `ps` shows those."""
    if _on_terminal():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


def _on_terminal() -> bool:
    return sys.stdin.isatty()
