"""The types of ASGI 3, as far as they are used here: https://asgi.readthedocs.io/en/stable/specs/www.html"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
