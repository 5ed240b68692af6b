"""Settings come from the environment, and a wrong one is named before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from core import settings
from core.errors import ConfigurationError
from core.settings import Settings
from tests.testing.settings import make_settings


def sentence(environ: dict[str, str]) -> str:
    """What the operator reads when the process refuses to start."""
    with pytest.raises(ConfigurationError) as caught:
        settings.load(environ)
    return caught.value.message


def test_an_empty_environment_gives_the_defaults() -> None:
    assert settings.load({}) == Settings()


def test_a_variable_is_parsed_to_the_type_of_its_setting() -> None:
    loaded = settings.load({"PNEUMOSCREEN_BATCH_SIZE": "32", "PNEUMOSCREEN_LEASE_S": "12.5"})
    assert (loaded.worker.batch_size, loaded.worker.lease_s) == (32, 12.5)


def test_no_two_groups_read_the_same_variable() -> None:
    groups = [getattr(Settings(), name) for name in Settings.model_fields]
    assert len(settings.variables()) == sum(len(type(group).model_fields) for group in groups)


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("LEASE_S", "worker.lease_s"),
        ("S3_REGION", "s3.region"),
        ("WEB_HOST", "web.host"),
        ("LOG_LEVEL", "log.level"),
        ("DATA_DIR", "storage.data_dir"),
    ],
)
def test_a_variable_has_the_prefix_of_its_group(variable: str, setting: str) -> None:
    place = settings.variables()[variable]
    assert f"{place.group}.{place.field}" == setting


def test_variables_of_other_programs_are_ignored() -> None:
    assert settings.load({"PATH": "/bin", "BATCH_SIZE": "none"}) == Settings()


@pytest.mark.parametrize("name", ["URL", "TOKEN", "TEST_DATA", "LIFELINE_FD"])
def test_variables_of_the_command_line_and_the_tests_are_no_settings(name: str) -> None:
    assert settings.load({f"PNEUMOSCREEN_{name}": "anything"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PNEUMOSCREEN_BATCH_SIZE", "-1"),
        ("PNEUMOSCREEN_BATCH_SIZE", "many"),
        ("PNEUMOSCREEN_LEASE_S", "-1"),
        ("PNEUMOSCREEN_WEB_PORT", "65536"),
        ("PNEUMOSCREEN_ENGINE", "tpu"),
        ("PNEUMOSCREEN_LOG_LEVEL", "LOUD"),
        ("PNEUMOSCREEN_COOKIE_SECURE", "perhaps"),
        ("PNEUMOSCREEN_MAX_ATTEMPTS", "1.5"),
        ("PNEUMOSCREEN_DECODE_THREADS", ""),
    ],
)
def test_a_wrong_value_is_reported_by_the_name_of_its_variable(variable: str, value: str) -> None:
    assert f"{variable}:" in sentence({variable: value})


def test_two_wrong_values_are_reported_together() -> None:
    told = sentence({"PNEUMOSCREEN_BATCH_SIZE": "x", "PNEUMOSCREEN_WEB_PORT": "y"})
    assert "PNEUMOSCREEN_BATCH_SIZE" in told
    assert "PNEUMOSCREEN_WEB_PORT" in told


def test_a_misspelt_variable_is_an_error_and_not_a_default() -> None:
    assert sentence({"PNEUMOSCREEN_BATCHSIZE": "8"}).startswith("PNEUMOSCREEN_BATCHSIZE is not a setting")


def test_a_lease_that_one_late_heartbeat_would_lose_is_refused() -> None:
    told = sentence({"PNEUMOSCREEN_LEASE_S": "3", "PNEUMOSCREEN_HEARTBEAT_S": "2"})
    assert "lease_s" in told
    assert "heartbeat_s" in told


def test_a_lease_of_exactly_two_heartbeats_is_taken() -> None:
    assert settings.load({"PNEUMOSCREEN_LEASE_S": "4", "PNEUMOSCREEN_HEARTBEAT_S": "2"}).worker.lease_s == 4


def test_a_secret_is_read_from_its_file_without_the_newline(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("hidden\n", encoding="utf-8")
    loaded = settings.load({"PNEUMOSCREEN_SECRET_KEY_FILE": str(secret)})
    assert loaded.security.secret_key.get_secret_value() == "hidden"


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    told = sentence({"PNEUMOSCREEN_SECRET_KEY_FILE": str(tmp_path / "absent")})
    assert told.startswith("PNEUMOSCREEN_SECRET_KEY_FILE: cannot read")
    assert "absent" in told


def test_a_secret_and_its_file_together_are_refused(tmp_path: Path) -> None:
    told = sentence({"PNEUMOSCREEN_SECRET_KEY": "a", "PNEUMOSCREEN_SECRET_KEY_FILE": str(tmp_path)})
    assert told == "Set PNEUMOSCREEN_SECRET_KEY or PNEUMOSCREEN_SECRET_KEY_FILE, not both."


def test_the_file_of_an_unknown_setting_is_refused() -> None:
    assert "PNEUMOSCREEN_SECRETKEY_FILE" in sentence({"PNEUMOSCREEN_SECRETKEY_FILE": "/dev/null"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().worker.batch_size = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", "hunter2hunter2"),
        ("database_url", "postgresql://ada:hunter2@db/x"),
        ("redis_url", "redis://:hunter2@broker"),
    ],
)
def test_a_secret_is_not_shown_when_settings_are_printed(name: str, value: str) -> None:
    printed = repr(settings.load({f"PNEUMOSCREEN_{name.upper()}": value}))
    assert name in printed
    assert "hunter2" not in printed


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize(
    "url", ["hunter2", "mysql://ada:hunter2@db/x", "redis:hunter2", "postgresql+asyncpg://hunter2@db"]
)
def test_a_url_that_no_driver_of_ours_takes_is_named_and_not_shown(name: str, url: str) -> None:
    said = sentence({f"PNEUMOSCREEN_{name}": url})
    assert said.startswith(f"Wrong configuration: PNEUMOSCREEN_{name}: this is no URL that begins with one of ")
    assert "hunter2" not in said


def test_the_default_database_is_sqlite_in_the_data_directory(tmp_path: Path) -> None:
    assert make_settings(data_dir=tmp_path).storage.database == f"sqlite:///{tmp_path}/pneumoscreen.db"


def test_a_database_url_is_taken_as_it_is() -> None:
    assert make_settings(database_url=SecretStr("postgresql://db/x")).storage.database == "postgresql://db/x"


def test_blobs_and_models_live_in_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    inside = make_settings(data_dir=tmp_path)
    assert (inside.storage.blobs, inside.storage.models) == (tmp_path / "blobs", tmp_path / "models")
    elsewhere = make_settings(data_dir=tmp_path, blob_dir=Path("/b"), models_dir=Path("/m"))
    assert (elsewhere.storage.blobs, elsewhere.storage.models) == (Path("/b"), Path("/m"))


@pytest.mark.parametrize("url", ["", "s3://radiographs", "s3://radiographs/ward-3/images"])
def test_a_storage_url_is_a_bucket_or_nothing(url: str) -> None:
    assert settings.load({"PNEUMOSCREEN_STORAGE_URL": url}).storage.storage_url == url


@pytest.mark.parametrize("url", ["radiographs", "https://radiographs", "s3://", "s3://../up", "gs://radiographs"])
def test_another_storage_url_is_named(url: str) -> None:
    assert "PNEUMOSCREEN_STORAGE_URL" in sentence({"PNEUMOSCREEN_STORAGE_URL": url})
