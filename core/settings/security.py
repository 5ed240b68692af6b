"""Sessions, cookies and the proxies in front."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from core.errors import ConfigurationError
from core.settings.group import Count, Group


class Security(Group):
    """What protects the people who are signed in."""

    secret_key: SecretStr = Field(SecretStr(""), description="Makes CSRF tokens; the web process needs it.")
    session_hours: Count = Field(12, description="A browser that is not used for so long is signed out.")
    session_absolute_hours: Count = Field(24, description="A browser is signed out after so long in any case.")
    cookie_secure: bool = Field(False, description="The pages are used over HTTPS only: `Secure` cookie and HSTS.")
    trusted_proxies: Annotated[int, Field(ge=0)] = Field(
        0, description="Proxies in front whose X-Forwarded-For tells the client's address; 0: believe nobody."
    )

    @property
    def signing_key(self) -> str:
        """The key that signs sessions.

        Raises:
            ConfigurationError: there is none, or one that could be guessed.
        """
        key = self.secret_key.get_secret_value()
        if len(key) < 16:
            raise ConfigurationError(
                "Set PNEUMOSCREEN_SECRET_KEY or PNEUMOSCREEN_SECRET_KEY_FILE (16 characters or more)."
            )
        return key
