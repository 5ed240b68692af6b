"""Every operation of the HTTP API, fuzzed from its own OpenAPI document (schemathesis)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err, Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.ignored_auth,
    checks.unsupported_method,
]
WITH_A_BODY = [*ALWAYS, checks.negative_data_rejection]
"""In a query a list of one is the same as its only item, which this check takes for wrong data that was accepted."""

Operation = APIOperation[Any, Any, Any, Any]


@dataclass
class Report:
    """How many requests were answered with each status, by operation, and every answer that breaks the document."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(counter.total() for counter in self.statuses.values())


def fuzz(app: Flask, token: str, known_ids: list[int], *, examples: int, seed: int = 0) -> Report:
    """Send `examples` valid and as many invalid requests to each operation.

    Args:
        token: of a user who may do everything.
        known_ids: ids that exist as a job and as an image; most valid requests name one of them.
    """
    headers = {"Authorization": f"Bearer {token}"}
    app.wsgi_app = _closing_its_input(app.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's own way to wrap it
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    report = Report()
    results = list(schema.get_all_operations())
    assert not [result for result in results if isinstance(result, Err)]
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    # Nothing can be added to a cancelled job, and nothing is left of a deleted one.
    operations.sort(key=lambda operation: (operation.method == "delete", operation.path.endswith("/cancel")))
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _fuzz_operation(operation, mode, headers, known_ids, examples, random.Random(seed), report)
    return report


def _closing_its_input(application: WSGIApplication) -> WSGIApplication:
    """The test client keeps a body of more than 500 kB in a temporary file and never closes that."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        finally:
            environ["wsgi.input"].close()

    return call


def _fuzz_operation(
    operation: Operation,
    mode: GenerationMode,
    headers: dict[str, str],
    known_ids: list[int],
    examples: int,
    chance: random.Random,
    report: Report,
) -> None:
    counter = report.statuses.setdefault(operation.label, Counter())
    its_checks = ALWAYS if operation.method == "get" else WITH_A_BODY

    @hypothesis_seed(chance.randrange(2**32))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        for name in {"job_id", "image_id"} & set(case.path_parameters or {}):
            if mode is GenerationMode.POSITIVE and chance.random() < 0.9:
                case.path_parameters[name] = chance.choice(known_ids)
        response = case.call(headers=headers)
        counter[response.status_code] += 1
        try:
            case.validate_response(response, checks=its_checks, headers=headers)
        except FailureGroup as failures:
            report.findings += [f"{operation.label}: {response.status_code}: {one}" for one in failures.exceptions]

    send()
