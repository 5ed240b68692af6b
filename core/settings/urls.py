"""How a URL of the database or the broker must begin. A message tells the scheme alone: the rest holds a password."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr


def require_scheme(url: SecretStr, known: Sequence[str]) -> SecretStr:
    """Return the URL if it begins with one of the known schemes.

    Raises:
        ValueError: it does not.
    """
    scheme, separator, _ = url.get_secret_value().partition("://")
    if not (separator and scheme in known):
        raise ValueError(f"this is no URL that begins with one of {', '.join(f'{name}://' for name in known)}")
    return url


def require_port(url: SecretStr) -> SecretStr:
    """Return the URL if its port is a number or absent.

    Raises:
        ValueError: it is something else.
    """
    try:
        _ = urlsplit(url.get_secret_value()).port
    except ValueError:
        raise ValueError("this is no URL: check its form, and its port, which must be a number") from None
    return url
