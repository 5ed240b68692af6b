"""Settings for a test, by the names that operators know: `make_settings(lease_s=2)` is `PNEUMOSCREEN_LEASE_S=2`."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from core.settings import PREFIX, Settings, variables


def make_settings(**values: Any) -> Settings:
    """The defaults, but for these values; they are checked as those of the environment are."""
    return Settings.model_validate(_grouped(values))


def change(settings: Settings, **values: Any) -> Settings:
    """A copy with these values instead; they are not checked, so a test may leave what `load` would refuse."""
    groups = {name: getattr(settings, name).model_copy(update=new) for name, new in _grouped(values).items()}
    return settings.model_copy(update=groups)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give another process these settings; those with their default are left out."""
    values = {name: getattr(getattr(settings, at.group), at.field) for name, at in variables().items()}
    return {
        f"{PREFIX}{name}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value != variables()[name].info.default
    }


def _grouped(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    known = variables()
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        variable = known[name.upper()]
        groups.setdefault(variable.group, {})[variable.field] = value
    return groups
