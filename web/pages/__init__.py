"""What people see: server-rendered pages that work without scripts. `blueprint` is all that the application needs.

A folder a page, whose templates lie in `templates/` under the same name. What several pages share stands here.
"""

from __future__ import annotations

import web.pages.audit.view
import web.pages.history.news
import web.pages.history.saved
import web.pages.history.selection
import web.pages.history.view
import web.pages.home.view
import web.pages.image.view
import web.pages.job.view
import web.pages.model.view
import web.pages.password.view
import web.pages.sign_in.view
import web.pages.status.view  # noqa: F401  # each adds its views to the blueprint
from web.pages.base import blueprint

__all__ = ["blueprint"]
