"""Both images, installed as their Dockerfiles say into clean environments, and run as docker-compose.yml says.

No container engine is needed: it is the install lines, the command lines and the environment of each service that are
tried, on a real PostgreSQL and on Valkey started by the line of the Compose file. Then docs/deployment.md is walked
through: every command in it is run as it is written, or stands in NOT_RUN with the reason why not.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from launcher import valkey as embedded
from launcher.address import reserve
from tests.testing import compose, factories, postgres
from tests.testing.compose import SECRETS, Host, Service
from tests.testing.images import SYSTEM_PATH
from tests.testing.paths import REPOSITORY
from tests.testing.polling import wait_until
from tests.testing.ports import is_open
from tests.testing.postgres import PostgresServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

START_S = 300
"""Longest wait for a process on a busy machine: a worker imports torch and compiles its network first."""

COMMAND = re.compile(
    r"([A-Z_]+=\S* )*(docker (compose|build) |docker/[\w-]+\.sh$|git |make |pneumoscreen |\.venv/bin/)"
)
"""How a line begins that an operator types."""

NOT_RUN = {
    "docker compose up": "makes and starts containers; the services are started here by their command lines",
    "docker compose --profile cpu up": "the same",
    "docker compose ps": "lists containers",
    "docker compose logs": "shows what the engine collected",
    "docker compose build": "builds images; the lines of the Dockerfiles are run here",
    "docker compose run --rm worker nvidia-smi": "needs a GPU and its container toolkit",
    "git pull": "needs a release to pull",
    "make install": "tried by tests/unit/packaging/test_install.py",
    "pneumoscreen up": "tried by tests/e2e/test_up.py",
    "pneumoscreen db upgrade": "what the service migrate runs",
    "pneumoscreen db adopt-store": "tried by tests/unit/cli/test_database.py; below through the web container",
    "pneumoscreen user sign-out NAME": "tried by tests/unit/cli/test_security.py",
}
"""How commands begin that this test cannot run, and why."""


def documented() -> list[str]:
    """The commands of docs/deployment.md in their order: lines of its code blocks, and code within its sentences."""
    lines: list[str] = []
    block: str | None = None
    for line in (REPOSITORY / "docs" / "deployment.md").read_text().splitlines():
        if line.startswith("```"):
            block = None if block is not None else line.removeprefix("```")
        elif block is None:
            lines += re.findall(r"`([^`]+)`", line)
        elif block == "":
            lines.append(re.sub(r"\s+#.*$", "", line))
    return list(dict.fromkeys(line for line in lines if COMMAND.match(line)))


def is_not_run(line: str) -> bool:
    return re.sub(r"^([A-Z_]+=\S* )+", "", line).startswith(tuple(NOT_RUN))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short and open to other users: processes run as the image's own user where that is possible."""
    with tempfile.TemporaryDirectory(prefix="pns-host-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres.serve(listen_on="127.0.0.1") as server:
        yield server


@pytest.fixture(scope="module")
def host(folder: Path, server: PostgresServer) -> Iterator[Host]:
    """Everything that `docker compose up` starts, without workers."""
    ports = {"PNEUMOSCREEN_WEB_HOST": "127.0.0.1", "PNEUMOSCREEN_WEB_PORT": str(reserve("127.0.0.1", 0))}
    with compose.host(folder, ports) as host:
        made = host.shell("docker/make-secrets.sh")
        assert made.returncode == 0, made.stderr
        host.add("postgres", postgres_service(server))
        create_database(server)
        valkey_port = reserve("127.0.0.1", 0)
        mount_secrets(host, server.port, valkey_port)
        with valkey(host, valkey_port):
            migrated = host.run("migrate")
            assert migrated.returncode == 0, migrated.stderr
            assert migrated.stdout.startswith("upgraded from empty to ")
            for name in ("web", "sweeper"):
                host.start(name)
            wait_for_health(host, "web", "web")
            yield host
            host.stop()


def create_database(server: PostgresServer) -> None:
    """What the official image does when its volume is empty."""
    with psycopg.connect(host=str(server.directory), port=server.port, user="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS pneumoscreen WITH (FORCE)")
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'pneumoscreen'").fetchone():
            connection.execute("CREATE ROLE pneumoscreen LOGIN SUPERUSER")
        connection.execute("CREATE DATABASE pneumoscreen OWNER pneumoscreen")


def postgres_service(server: PostgresServer) -> Service:
    programs = postgres.programs()
    env = {"PATH": f"{programs}:{SYSTEM_PATH}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
    return Service([], env, {}, "/", None)


def mount_secrets(host: Host, postgres_port: int, valkey_port: int) -> None:
    """As Compose mounts them, and with addresses of this machine in place of the containers' names."""
    host.secrets.mkdir(exist_ok=True)
    for secret in (host.checkout / "secrets").iterdir():
        text = secret.read_text()
        text = text.replace("@postgres:5432/", f"@127.0.0.1:{postgres_port}/")
        text = text.replace("@valkey:6379/", f"@127.0.0.1:{valkey_port}/")
        (host.secrets / secret.name).write_text(text)


@contextmanager
def valkey(host: Host, port: int) -> Iterator[None]:
    """The broker, by the command line of the Compose file."""
    directory = host.folder / "valkey"
    directory.mkdir()
    (directory / "valkey-server").symlink_to(embedded.find_server())
    *shell, script = host.compose_command("valkey")
    for ours, there in (
        ("/tmp/", f"{directory}/"),
        ("--dir /data", f"--dir {directory}"),
        (SECRETS, str(host.secrets)),
    ):
        assert ours in script
        script = script.replace(ours, there)
    command = [*shell, f"{script} --port {port} --bind 127.0.0.1"]
    process = subprocess.Popen(command, env={"PATH": f"{directory}:{SYSTEM_PATH}"}, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_open(port), timeout_s=START_S)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for_health(host: Host, service: str, part: str) -> None:
    """Ask as often as an engine might: each check is a process that takes a second of a core."""
    deadline_s = time.monotonic() + START_S
    while (check := host.run(service, "python", "/opt/healthcheck.py", part)).returncode:
        log = host.log(service, "err").read_text()
        assert not host.ended(service), log
        assert time.monotonic() < deadline_s, f"{service} is not healthy: {check.stderr}\n{log}"
        time.sleep(1)


@pytest.fixture(scope="module")
def token(host: Host) -> str:
    added = host.shell("docker compose run --rm web pneumoscreen user add anna --role admin", "a long password\n")
    assert added.returncode == 0, added.stderr
    return host.shell("docker compose run --rm web pneumoscreen token create anna").stdout.strip()


@pytest.fixture(scope="module")
def worker(host: Host) -> str:
    """The CPU worker, once its health check passes."""
    host.start("worker-cpu")
    wait_for_health(host, "worker-cpu", "worker")
    return "worker-cpu"


def api(host: Host, token: str) -> httpx.Client:
    port = host.services["web"].env["PNEUMOSCREEN_WEB_PORT"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False)


def screened(host: Host, token: str, seed: int) -> dict[str, object]:
    """Upload an image; what the API says of it once it is done."""
    with api(host, token) as client:
        sent = client.post("/api/v1/images", files={"file": ("a.png", factories.png(seed, size_px=(300, 300)))})
        image = sent.raise_for_status().json()
        answer: dict[str, object] = {}

        def done() -> bool:
            answer.update(client.get(f"/api/v1/images/{image['id']}").raise_for_status().json())
            return answer["state"] in ("done", "failed")

        wait_until(done, timeout_s=START_S)
    return answer


def test_the_schema_is_up_to_date_when_it_is_migrated_again(host: Host) -> None:
    assert host.run("migrate").stdout.startswith("already at ")


def test_an_image_that_is_uploaded_is_screened(host: Host, token: str, worker: str) -> None:
    image = screened(host, token, seed=1)

    assert image["state"] == "done"
    assert not host.ended("sweeper"), host.log("sweeper", "err").read_text()
    assert not host.ended(worker)


def test_a_worker_without_the_gpu_that_it_shall_have_says_so_once(host: Host) -> None:
    ended = host.run("worker")

    assert ended.returncode == 2
    told = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["error"] for line in told if line["event"] == "command_failed"] == [
        "The engine is torch-cuda, but torch finds no CUDA device; use auto or torch-cpu."
    ]
    assert "Traceback" not in ended.stderr


def test_logs_go_to_standard_error_alone(host: Host, worker: str) -> None:
    for name in ("web", "sweeper", worker):
        assert host.log(name, "out").read_text() == "", name
    lines = [json.loads(line) for line in host.log(worker, "err").read_text().splitlines() if line.startswith("{")]
    assert {line["process"] for line in lines} == {"worker"}


def test_a_command_that_needs_the_other_image_says_so(host: Host) -> None:
    ended = host.run("web", "pneumoscreen", "worker")

    assert ended.returncode == 2
    assert "worker image" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_documented_command_is_run_here_or_says_why_not() -> None:
    lines = documented()

    assert len(lines) >= 15
    assert {line for line in lines if not is_not_run(line)} == set(RUN)


RUN = [
    "docker/make-secrets.sh",
    "docker compose run --rm web pneumoscreen user add anna --role admin",
    "docker compose run --rm web pneumoscreen token create NAME",
    "docker compose exec -T postgres pg_dump --username pneumoscreen --format custom pneumoscreen > database.dump",
    "docker compose exec -T web tar -C /var/lib/pneumoscreen -cf - blobs models > files.tar",
    "docker compose exec -T postgres pg_restore --username pneumoscreen --dbname pneumoscreen --no-owner "
    "< database.dump",
    "docker compose run --rm -T --no-deps web tar -C /var/lib/pneumoscreen -xf - < files.tar",
    'docker compose run --rm -v "$PWD/new.safetensors:/import/new.safetensors:ro" '
    "web pneumoscreen model import /import/new.safetensors",
    "docker compose run --rm web pneumoscreen model activate NAME",
    "pneumoscreen backup monday.tar",
    "PNEUMOSCREEN_DATA_DIR=restored pneumoscreen restore monday.tar",
    "docker compose run --rm web pneumoscreen db adopt-store",
]
"""What the tests of this file run, as the document has it."""


def test_a_checkpoint_is_imported_through_the_web_image_and_screens(host: Host, token: str, worker: str) -> None:
    import_, activate = RUN[7:9]
    name, sha256 = save_checkpoint(host.checkout / "new.safetensors")

    imported = host.shell(import_)
    assert imported.returncode == 0, imported.stderr
    assert sha256[:12] in imported.stdout
    activated = host.shell(activate.replace("NAME", name))
    assert activated.returncode == 0, activated.stderr
    changed = f'"sha256": "{sha256[:12]}"'
    wait_until(lambda: changed in host.log(worker, "err").read_text(), timeout_s=START_S)

    image = screened(host, token, seed=2)
    assert image["state"] == "done"
    assert image["prediction"]["model"]["sha256"] == sha256  # type: ignore[index]
    with api(host, token) as client:
        assert client.get("/readyz").json()["workers"] == 1


def test_a_broken_checkpoint_is_refused_in_one_sentence(host: Host) -> None:
    broken = host.checkout / "new.safetensors"
    broken.write_bytes((REPOSITORY / "model/checkpoints/default.safetensors").read_bytes()[:1_000_000])

    refused = host.shell(RUN[7])

    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1
    assert "damaged" in refused.stderr


def test_what_is_backed_up_is_there_again_after_a_restore(
    host: Host, server: PostgresServer, token: str, worker: str
) -> None:
    dump, save, restore, unpack = RUN[3:7]
    before = screened(host, token, seed=3)
    for line in (dump, save):
        done = host.shell(line)
        assert done.returncode == 0, done.stderr

    host.stop("web", "sweeper", worker)
    create_database(server)
    host.empty_volumes()
    for line in (restore, unpack):
        done = host.shell(line)
        assert done.returncode == 0, done.stderr
    assert host.run("migrate").stdout.startswith("already at ")
    adopted = host.shell(RUN[-1])
    assert adopted.returncode == 0, adopted.stderr
    for name in ("web", "sweeper", worker):
        host.start(name)
    wait_for_health(host, "web", "web")

    with api(host, token) as client:
        after = client.get(f"/api/v1/images/{before['id']}").raise_for_status().json()
        assert after == before
        original = client.get(f"/api/v1/images/{before['id']}/file").raise_for_status()
        assert original.content == factories.png(3, size_px=(300, 300))
    wait_for_health(host, worker, "worker")
    assert screened(host, token, seed=4)["state"] == "done"


def test_a_service_without_containers_is_backed_up_and_restored(host: Host) -> None:
    """With a database alone; tests/e2e/test_up.py does it with a running service."""
    program = Path(host.services["web"].places["/opt"], "venv", "bin")
    for line in ("pneumoscreen db upgrade", *RUN[9:]):
        done = host.shell(f"PATH={program}:$PATH\n{line}")
        assert done.returncode == 0, done.stderr
    assert (host.checkout / "restored" / "pneumoscreen.db").stat().st_size > 0


def save_checkpoint(path: Path) -> tuple[str, str]:
    """The shipped model under another name."""
    from model import checkpoint
    from model.registry import DEFAULT

    shipped = checkpoint.load(DEFAULT)
    card = shipped.card.model_copy(update={"name": "of-this-site"})
    sha256 = checkpoint.save_again(path, shipped, card)
    path.chmod(0o644)
    return "of-this-site", sha256
