"""The Dockerfiles, read as a builder reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.testing.dockerfile import Instructions, arguments, final_stage, parse

NAMES = ["web", "worker"]


@pytest.fixture(params=NAMES)
def dockerfile(request: pytest.FixtureRequest, root: Path) -> Instructions:
    return parse((root / f"docker/{request.param}.Dockerfile").read_text())


def test_parse_joins_continued_lines_and_drops_comments() -> None:
    assert parse("# why\nFROM a\nRUN b && \\\n  # inside\n    c\n") == [("FROM", "a"), ("RUN", "b && c")]


def test_base_images_are_pinned(dockerfile: Instructions) -> None:
    for base in arguments(dockerfile, "FROM"):
        assert re.match(r"python:3\.1[123]-slim-\w+( AS \w+)?$", base), base


def test_runs_as_a_user_without_rights(dockerfile: Instructions) -> None:
    assert arguments(final_stage(dockerfile), "USER") == ["10001:10001"]


def test_nothing_is_built_after_rights_are_dropped(dockerfile: Instructions) -> None:
    names = [name for name, _ in final_stage(dockerfile)]

    assert not {"RUN", "COPY", "ADD"} & set(names[names.index("USER") :])


def test_copied_files_exist_and_reach_the_builder(dockerfile: Instructions, root: Path) -> None:
    sent = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copy in arguments(dockerfile, "COPY"):
        if copy.startswith("--from="):
            continue
        for source in copy.split()[:-1]:
            assert source in sent, f".dockerignore keeps {source} from the builder"
            assert (root / source).exists(), source


def test_every_package_of_ours_is_copied(dockerfile: Instructions, pyproject: dict[str, Any]) -> None:
    copied = {source for copy in arguments(dockerfile, "COPY") for source in copy.split()[:-1]}
    packages = {pattern.rstrip("*") for pattern in pyproject["tool"]["setuptools"]["packages"]["find"]["include"]}

    assert packages <= copied


def test_installs_the_locked_versions(dockerfile: Instructions) -> None:
    installs = [run for run in arguments(dockerfile, "RUN") if "uv pip install" in run]

    assert len(installs) == 2
    assert all("constraints requirements.lock" in run for run in installs)


def test_uv_is_the_version_of_the_makefile(dockerfile: Instructions, root: Path) -> None:
    (wanted,) = re.findall(r"^UV_VERSION := (\S+)$", (root / "Makefile").read_text(), re.MULTILINE)
    runs = " ".join(arguments(dockerfile, "RUN"))

    assert re.findall(r"uv==([\d.]+)", runs) == [wanted]


def test_final_image_has_no_build_tools(dockerfile: Instructions) -> None:
    runs = " ".join(arguments(final_stage(dockerfile), "RUN"))

    assert not re.search(r"\b(pip|uv|apt-get|curl)\b", runs)


def test_web_image_is_built_without_torch(root: Path, pyproject: dict[str, Any]) -> None:
    runs = " ".join(arguments(parse((root / "docker/web.Dockerfile").read_text()), "RUN"))

    assert re.findall(r"--extra (\S+)", runs) == ["s3"]
    assert "--all-extras" not in runs
    assert not [needed for needed in pyproject["project"]["dependencies"] if needed.startswith("torch")]


def test_worker_image_is_built_with_the_worker_extra(root: Path) -> None:
    runs = " ".join(arguments(parse((root / "docker/worker.Dockerfile").read_text()), "RUN"))

    assert "--extra worker" in runs


def test_secrets_and_data_stay_out_of_the_build(root: Path) -> None:
    lines = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert lines[0] == "*"
    assert not {"!secrets", "!data", "!.git", "!.venv"} & set(lines)
