"""`pneumoscreen web`: pages and API, served by uvicorn under gunicorn. Never decodes an image, never imports torch."""

from __future__ import annotations

from core import settings
from launcher import lifeline
from web.server import serve


def web() -> None:
    """Serve the pages and the API (one of the service's processes).

    Settings come from PNEUMOSCREEN_* variables, such as PNEUMOSCREEN_WEB_PORT.
    `pneumoscreen up` starts this and everything else at once.

    Example:

      PNEUMOSCREEN_WEB_PORT=8080 pneumoscreen web
    """
    # Gunicorn's master alone ends with the launcher: its worker processes end with it.
    serve.serve(settings.load(), when_ready=lifeline.watch_from_environment)
