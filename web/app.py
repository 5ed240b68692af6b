"""The application factory."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from typing import Any

from flask import Response
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from core.settings import Settings
from web import (
    api,
    api_docs,
    auth,
    dependencies,
    errors,
    pages,
    permissions,
    problems,
    request_ids,
)
from web.backends import Backends, connect_all
from web.health import endpoints
from web.intake import refusals
from web.intake.json_depth import ShallowJSON
from web.intake.upload_request import UploadRequest

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "serial", "usb")
)
"""Features that no page needs; an injected script must not have them either."""
HSTS = f"max-age={365 * 24 * 3600}"
"""For this host alone: other hosts of the hospital's domain may be served without HTTPS."""


def create_app(settings: Settings, backends: Backends | None = None) -> OpenAPI:
    """Make a Flask application. Tests give `backends` in place of the real ones.

    Raises:
        ConfigurationError: there is no secret key to make CSRF tokens of.
        RuntimeError: a route has no permission.
    """
    app = OpenAPI(
        __name__,
        info=Info(title="pneumoscreen", version=version("pneumoscreen"), description=api.DESCRIPTION),
        security_schemes=api.SECURITY_SCHEMES,
        validation_error_callback=problems.invalid_request,
        doc_ui=False,
    )
    app.request_class = UploadRequest
    app.json = ShallowJSON(app)
    app.config.update(_flask_settings(settings))
    if settings.security.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.security.trusted_proxies, x_proto=0)  # type: ignore[method-assign]
    deps = dependencies.install(app, settings, backends or connect_all(settings))
    request_ids.install(app, trust_proxy=settings.security.trusted_proxies > 0)
    refusals.install(app)
    if backends is None:
        deps.ingest.guard.start()  # gives a new database its store now, not with the first upload
    CSRFProtect(app)
    errors.install(app)
    auth.install(app, deps.database)
    app.register_api(api.blueprint)
    app.register_blueprint(api_docs.blueprint)
    app.register_blueprint(endpoints.blueprint)
    app.register_blueprint(pages.blueprint)
    app.after_request(_harden)
    if settings.security.cookie_secure:
        app.after_request(_https_only)
    permissions.check_routes(app)
    return app


def _flask_settings(settings: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": settings.security.signing_key,
        "MAX_CONTENT_LENGTH": settings.limits.max_request_bytes,
        "MAX_FORM_PARTS": api.MAX_FILES_PER_REQUEST + 10,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.security.cookie_secure,
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=settings.security.session_absolute_hours),
        "WTF_CSRF_CHECK_DEFAULT": False,  # web.auth checks it, once it knows that a cookie and no token is used
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
    }


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    response.headers.setdefault("Cache-Control", "no-store" if response.mimetype == "text/html" else "no-cache")
    return response


def _https_only(response: Response) -> Response:
    response.headers.setdefault("Strict-Transport-Security", HSTS)
    return response
