"""A checkpoint's file, as far as it can be read without torch: its card and its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from core.errors import ModelInvalid
from imaging.transform import SUPPORTED
from model.card import ARCHITECTURE, Card


def read_card(path: Path) -> Card:
    """The card alone, without torch.

    Raises:
        ModelInvalid: missing, damaged, without a card, or of an architecture or preprocessing unknown here.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        card = Card.model_validate_json(metadata.get("card", ""))
    except FileNotFoundError as error:
        raise ModelInvalid(f"There is no model at {path}.") from error
    except PermissionError as error:
        raise ModelInvalid(f"Cannot read the model {path}: {error.strerror}.") from error
    except (OSError, SafetensorError) as error:
        raise ModelInvalid(f"The model {path} is damaged or no safetensors file; import it again.") from error
    except ValidationError as error:
        raise ModelInvalid(f"The model {path} carries no valid card; was it made by `pneumoscreen train`?") from error
    _check_supported(path, card)
    return card


def verify(path: Path, expect_sha256: str | None) -> str:
    """The sha256 of a file in hex.

    Raises:
        ModelInvalid: missing, or not the expected one.
    """
    try:
        sha256 = file_sha256(path)
    except OSError as error:
        raise ModelInvalid(f"Cannot read the model {path}: {error.strerror}.") from error
    if expect_sha256 is not None and sha256 != expect_sha256:
        raise ModelInvalid(f"The model {path} has sha256 {sha256}, not {expect_sha256}; import it again.")
    return sha256


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_supported(path: Path, card: Card) -> None:
    supported = {"architecture": (ARCHITECTURE,), "preprocessing": SUPPORTED}
    for field, ours in supported.items():
        theirs = getattr(card, field)
        if theirs not in ours:
            known = " or ".join(map(repr, ours))
            raise ModelInvalid(f"The model {path} has the {field} {theirs!r}; this version runs {known}.")
