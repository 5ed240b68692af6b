"""docker-compose.yml: what a container engine would refuse, and what must not slip in. No engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.settings import PREFIX, variables
from tests.testing.settings import make_settings
from web.server.serve import OPEN_FILES

OURS = {"web", "sweeper", "worker", "worker-cpu", "migrate"}


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = compose["services"]
    return by_name


def _setting_variables(services: dict[str, dict[str, Any]]) -> Iterator[tuple[str, object]]:
    for service in services.values():
        for variable, value in (service.get("environment") or {}).items():
            if variable.startswith(PREFIX):
                yield variable, value


def test_has_the_parts_of_the_service(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == OURS | {"postgres", "valkey"}


def test_every_service_has_a_healthcheck_or_says_why_not(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if "x-no-healthcheck" in service:
            # An image's own check would run otherwise.
            assert service["healthcheck"] == {"disable": True}, name
            assert len(service["x-no-healthcheck"].split()) > 5, name
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert re.match(r"\d+\.\d+", tag), f"{name} uses {service['image']}"


def test_our_images_carry_the_version_of_the_project(
    services: dict[str, dict[str, Any]], pyproject: dict[str, Any]
) -> None:
    tags = {services[name]["image"].partition(":")[2] for name in OURS}

    assert tags == {pyproject["project"]["version"]}


def test_builds_name_files_that_exist(services: dict[str, dict[str, Any]], root: Path) -> None:
    for name in OURS:
        build = services[name]["build"]
        assert (root / build["context"] / build["dockerfile"]).is_file(), name


def test_only_web_publishes_a_port_and_to_this_host_alone(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {"web": ["${WEB_PUBLISH:-127.0.0.1:8000}:8000"]}


def test_secrets_and_volumes_are_declared_and_used(compose: dict[str, Any], services: dict[str, Any]) -> None:
    secrets = {secret for service in services.values() for secret in service.get("secrets", [])}
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}

    assert secrets == set(compose["secrets"])
    assert volumes == set(compose["volumes"])


def test_secret_files_are_those_of_the_service(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        files = [str(v) for k, v in (service.get("environment") or {}).items() if k.endswith("_FILE")]
        assert {Path(file).parent for file in files} <= {Path("/run/secrets")}, name
        assert {Path(file).name for file in files} <= set(service.get("secrets", [])), name


def test_no_secret_is_written_in_the_file(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable in service.get("environment") or {}:
            secret = re.search("PASSWORD|SECRET|TOKEN|_URL", variable)
            assert secret is None or variable.endswith("_FILE"), f"{name}: {variable}"


def test_every_setting_exists(services: dict[str, dict[str, Any]]) -> None:
    used = {variable.removeprefix(PREFIX).removesuffix("_FILE") for variable, _ in _setting_variables(services)}

    assert used
    assert used <= set(variables())


def test_settings_have_valid_values(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        plain = {
            variable.removeprefix(PREFIX).lower(): re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", str(value))
            for variable, value in services[name]["environment"].items()
            if not variable.endswith("_FILE")
        }
        assert make_settings(**plain).log.format == "json", name


def test_values_are_strings_as_the_environment_has_them(services: dict[str, dict[str, Any]]) -> None:
    wrong = {variable: value for variable, value in _setting_variables(services) if not isinstance(value, str)}

    assert wrong == {}


def test_worker_reserves_a_gpu_and_insists_on_it(services: dict[str, dict[str, Any]]) -> None:
    (device,) = services["worker"]["deploy"]["resources"]["reservations"]["devices"]

    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert services["worker"]["environment"]["PNEUMOSCREEN_ENGINE"] == "torch-cuda"


def test_cpu_worker_is_opt_in_and_asks_for_no_gpu(services: dict[str, dict[str, Any]]) -> None:
    assert services["worker-cpu"]["profiles"] == ["cpu"]
    assert "deploy" not in services["worker-cpu"]
    assert services["worker-cpu"]["environment"]["PNEUMOSCREEN_ENGINE"] == "auto"


def test_workers_can_be_scaled(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "container_name" not in service, name
        assert "hostname" not in service, name  # the worker's health check tells containers apart by it


def test_dependencies_are_services_that_can_meet_the_condition(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for dependency, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            if condition == "service_completed_successfully":
                assert services[dependency]["restart"] == "no", f"{name} waits for {dependency}, which never ends"
            else:
                assert condition == "service_healthy"
                assert "test" in services[dependency]["healthcheck"], f"{name} waits for {dependency}"


def test_everything_of_ours_waits_for_the_schema(services: dict[str, dict[str, Any]]) -> None:
    waiting = {name for name, service in services.items() if "migrate" in service.get("depends_on", {})}

    assert waiting == OURS - {"migrate"}


def test_everything_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "privileged" not in service, name
        assert service["logging"]["options"]["max-size"], name


@pytest.mark.parametrize("limit", ["mem_limit", "cpus", "pids_limit"])
def test_nothing_can_take_the_whole_host(services: dict[str, dict[str, Any]], limit: str) -> None:
    assert [name for name, service in services.items() if limit not in service] == []


def test_open_files_are_limited(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert 4096 <= service["ulimits"]["nofile"]["soft"] <= service["ulimits"]["nofile"]["hard"], name


def test_the_web_process_may_open_as_many_files_as_it_asks_for(services: dict[str, dict[str, Any]]) -> None:
    assert services["web"]["ulimits"]["nofile"]["hard"] >= OPEN_FILES


def test_valkey_may_hold_more_than_it_keeps(services: dict[str, dict[str, Any]]) -> None:
    assert "--maxmemory 512mb" in services["valkey"]["command"][-1]
    assert services["valkey"]["mem_limit"] == "1g"


def test_workers_only_read_the_folder_of_models(
    services: dict[str, dict[str, Any]],
) -> None:
    mounts = {name: [v for v in service.get("volumes", []) if "models" in v] for name, service in services.items()}

    assert {name: volumes for name, volumes in mounts.items() if volumes} == {
        "migrate": ["models:/var/lib/pneumoscreen/models"],
        "web": ["models:/var/lib/pneumoscreen/models"],
        "worker": ["models:/var/lib/pneumoscreen/models:ro"],
        "worker-cpu": ["models:/var/lib/pneumoscreen/models:ro"],
    }


def test_only_web_has_a_way_out(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    assert compose["networks"]["backend"] == {"internal": True}
    assert [name for name, service in services.items() if service["networks"] != ["backend"]] == ["web"]


def test_worker_cannot_change_the_radiographs(services: dict[str, dict[str, Any]]) -> None:
    for name in ("worker", "worker-cpu"):
        assert all(volume.endswith(":ro") for volume in services[name]["volumes"]), name


def test_variables_for_the_operator_are_documented(root: Path) -> None:
    variables = set(re.findall(r"(?<!\$)\$\{(\w+)", (root / "docker-compose.yml").read_text()))
    guide = (root / "docs/deployment.md").read_text()

    assert variables
    assert [name for name in variables if f"`{name}`" not in guide] == []


def test_compose_itself_accepts_the_file(root: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")

    done = subprocess.run(
        [docker, "compose", "--profile", "cpu", "config", "--quiet"], cwd=root, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
