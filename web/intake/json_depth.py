"""JSON that is nested deeper than Python's stack is not valid here: a client's mistake, not a crash."""

from __future__ import annotations

from typing import Any

from flask.json.provider import DefaultJSONProvider


class ShallowJSON(DefaultJSONProvider):
    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Raises ValueError: it is no JSON, or nested too deep."""
        try:
            return super().loads(s, **options)
        except RecursionError:
            raise ValueError("JSON nested too deep") from None
