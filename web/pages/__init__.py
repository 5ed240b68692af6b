"""What people see: server-rendered pages that work without scripts. `blueprint` is all that the application needs."""

from __future__ import annotations

from web.pages import audit, history, home, image, job, model, password, sign_in, status
from web.pages.base import blueprint

__all__ = ["audit", "blueprint", "history", "home", "image", "job", "model", "password", "sign_in", "status"]
