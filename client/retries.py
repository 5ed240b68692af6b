"""After which answers a request is sent again, and how long after.

tenacity counts, waits and gives up: it takes a wait of our own (Retry-After) and a sleep that Ctrl-C ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt

ATTEMPTS = 9
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
"""With nine attempts: gives up after about a minute and a half, long enough for a restart of the service."""
MAX_RETRY_AFTER_S = 300.0
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
FULL = {"queue_full": "its queue is full", "storage_full": "its disk is full"}
"""Problems that pass once there is room again: waited for, however long a queue takes."""
MAX_STORAGE_WAIT_S = 900.0
"""A full disk needs a person; after this long it is an error."""

Sleep = Callable[[float], None]


def of_errors(attempts: int, sleep: Sleep) -> Retrying:
    """Send again after a lost connection and after 429, 5xx; the last answer stands, be it an error or a response."""
    return Retrying(
        sleep=sleep,
        stop=stop_after_attempt(attempts),
        wait=_error_wait_s,
        retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_retried),
        retry_error_callback=_last_answer,
    )


def until_room(sleep: Sleep, tell: Callable[[str], None]) -> Retrying:
    """Send again as long as the service answers that it is full, and `tell` why and how long it makes us wait."""

    def tell_wait(state: RetryCallState) -> None:
        tell(
            f"the service asks to wait, {FULL[_full_code(_response(state))]}; next try in {state.upcoming_sleep:.0f} s"
        )

    return Retrying(
        sleep=sleep,
        stop=_disk_stays_full,
        wait=_room_wait_s,
        retry=retry_if_result(lambda response: _full_code(response) in FULL),
        before_sleep=tell_wait,
        retry_error_callback=_last_answer,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as a number or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


def problem(response: httpx.Response) -> dict[str, Any]:
    """A problem+json body (RFC 9457); empty when it is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _is_retried(response: httpx.Response) -> bool:
    return response.status_code in RETRIED_STATUSES


def _full_code(response: httpx.Response | None) -> str:
    """`queue_full` or `storage_full` if that is what the response says."""
    if response is None or response.status_code not in (429, 507):
        return ""
    return str(problem(response).get("code"))


def _disk_stays_full(state: RetryCallState) -> bool:
    return _full_code(_response(state)) == "storage_full" and state.idle_for >= MAX_STORAGE_WAIT_S


def _error_wait_s(state: RetryCallState) -> float:
    """As long as we are asked to, else doubled each time; a random half of it, so that clients cut off together
    do not return together.
    """
    asked_s = _asked_s(state)
    if asked_s is not None:
        return asked_s
    delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** (state.attempt_number - 1))
    return delay_s * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def _room_wait_s(state: RetryCallState) -> float:
    asked_s = _asked_s(state)
    return MAX_DELAY_S if asked_s is None else asked_s


def _asked_s(state: RetryCallState) -> float | None:
    response = _response(state)
    asked_s = None if response is None else retry_after_s(response.headers)
    return None if asked_s is None else min(asked_s, MAX_RETRY_AFTER_S)


def _response(state: RetryCallState) -> httpx.Response | None:
    """The response to the latest attempt; None if there was none."""
    if state.outcome is None or state.outcome.failed:
        return None
    response: httpx.Response = state.outcome.result()
    return response


def _last_answer(state: RetryCallState) -> Any:
    """The response to the last attempt, or the error that it ended with, raised."""
    return state.outcome.result() if state.outcome is not None else None
