"""Structured logs: one event a line, ids bound to it. No file name, no user's text, no path of an image."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from core.settings import Settings

CHATTY = ("kombu", "amqp", "httpx", "PIL", "celery.worker.strategy", "celery.app.trace")

log = structlog.get_logger()


def configure(settings: Settings, process: str, **always: str) -> None:
    """Send our events, the libraries' log records, warnings and uncaught errors to stderr, as text or JSON lines.

    Each line names the `process` and holds what `always` binds, such as a worker's name. Tracebacks come without
    local variables, which structlog would add: they hold file names and tokens.
    """
    everywhere = {"process": process} | always
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        lambda _logger, _method, event: {**event, **everywhere},  # in every thread, unlike a context variable
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log.level)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _take_over_libraries()
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _renderers(settings: Settings) -> list[structlog.typing.Processor]:
    if settings.log.format == "json":
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [tracebacks, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _take_over_libraries() -> None:
    """Libraries that set up handlers of their own (gunicorn does) would print lines of another form."""
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers = []
            logger.propagate = True


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log.critical("process_crashed", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is None or issubclass(arguments.exc_type, SystemExit):
        return
    name = arguments.thread.name if arguments.thread else "unknown"
    traceback = arguments.exc_traceback
    log.error("thread_crashed", thread=name, exc_info=(arguments.exc_type, arguments.exc_value, traceback))
