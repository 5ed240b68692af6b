"""Settings from the environment: which variable is which setting. Wrong values fail at start, by name.

A secret may be given as a file instead: `PNEUMOSCREEN_DATABASE_URL_FILE=/run/secrets/database_url` (the way
Docker and Kubernetes hand secrets over). Setting both is an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from core.errors import ConfigurationError
from core.settings.group import Group
from core.settings.settings import Settings

PREFIX = "PNEUMOSCREEN_"

NOT_SETTINGS = {"URL", "TOKEN", "TEST_DATA", "LIFELINE_FD"}
"""Variables with our prefix that belong to the command line, the tests and the launcher."""


@dataclass(frozen=True)
class Variable:
    """Where the value of one variable goes: `settings.<group>.<field>`."""

    group: str
    field: str
    info: FieldInfo


def variables() -> dict[str, Variable]:
    """Every setting by the name of its variable, without `PREFIX`, in the order of the documentation."""
    groups = {name: cast(type[Group], field.annotation) for name, field in Settings.model_fields.items()}
    return {
        f"{group.variable_prefix}{field}".upper(): Variable(name, field, info)
        for name, group in groups.items()
        for field, info in group.model_fields.items()
    }


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        ConfigurationError: a value is wrong, or a `*_FILE` cannot be read; the sentence names the variable.
    """
    known = variables()
    values: dict[str, dict[str, str]] = {name: {} for name in Settings.model_fields}
    for name, value in _given(os.environ if environ is None else environ, known).items():
        values[known[name].group][known[name].field] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        names: dict[tuple[int | str, ...], str] = {
            (variable.group, variable.field): name for name, variable in known.items()
        }
        problems = "; ".join(_sentence(e, names) for e in error.errors(include_input=False, include_url=False))
        raise ConfigurationError(f"Wrong configuration: {problems}.") from None


def _given(environ: Mapping[str, str], known: Mapping[str, Variable]) -> dict[str, str]:
    """The values that the environment gives, by the names of `variables()`."""
    values: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX)
        if name in known:
            values[name] = value
        elif name.removesuffix("_FILE") in known:
            if PREFIX + name.removesuffix("_FILE") in environ:
                raise ConfigurationError(f"Set {variable.removesuffix('_FILE')} or {variable}, not both.")
            values[name.removesuffix("_FILE")] = _read_secret(variable, Path(value))
        elif name not in NOT_SETTINGS:
            raise ConfigurationError(f"{variable} is not a setting; see docs/configuration.md for their names.")
    return values


def _sentence(error: ErrorDetails, names: Mapping[tuple[int | str, ...], str]) -> str:
    """What is wrong; named by the variable, unless several of a group do not fit together."""
    message = error["msg"].removeprefix("Value error, ")
    name = names.get(error["loc"][:2])
    return f"{PREFIX}{name}: {message}" if name else message


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{variable}: cannot read {path}: {error.strerror}.") from error
