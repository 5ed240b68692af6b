"""Every operation of the HTTP API, fuzzed from its own OpenAPI document (schemathesis)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from schemathesis import Case, GenerationMode, checks
from schemathesis.schemas import APIOperation, BaseSchema

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.ignored_auth,
    checks.unsupported_method,
]


@dataclass
class Report:
    """How many requests were answered with each status, by operation, and every answer that breaks the document."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(sum(counter.values()) for counter in self.statuses.values())

    def answered(self, status_class: int) -> int:
        """How many answers have a status of this hundred."""
        every: Counter[int] = sum(self.statuses.values(), Counter())
        return sum(count for status, count in every.items() if status // 100 == status_class)


def fuzz(app: Flask, token: str, known_ids: list[int], *, examples: int, seed: int = 0) -> Report:
    """Send `examples` valid and as many invalid requests to each operation.

    Args:
        token: of a user who may do everything.
        known_ids: ids that exist as a job and as an image; two thirds of the requests name one of them.
    """
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    report = Report()
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _fuzz_operation(operation, mode, headers, known_ids, examples, seed, report)
    return report


def _fuzz_operation(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    headers: dict[str, str],
    known_ids: list[int],
    examples: int,
    seed: int,
    report: Report,
) -> None:
    counter = report.statuses.setdefault(operation.label, Counter())
    chance = random.Random(seed)
    try:
        strategy = operation.as_strategy(generation_mode=mode)
    except schemathesis.errors.InvalidSchema:
        raise

    @hypothesis_seed(seed)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=strategy)
    def send(case: Case) -> None:
        for name in {"job_id", "image_id"} & set(case.path_parameters or {}):
            if mode is GenerationMode.POSITIVE and chance.random() < 2 / 3:
                case.path_parameters[name] = chance.choice(known_ids)
        response = case.call(headers=headers)
        counter[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS, headers=headers)
        except checks.FailureGroup as failures:
            for failure in failures.exceptions:
                report.findings.append(f"{operation.label}: {response.status_code}: {failure}")

    send()


def schema_of(app: Flask, headers: dict[str, str]) -> BaseSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
