"""The checkpoints that come with the code, and checkpoints as files in a folder of this host.

Files that were imported are named by their sha256. A broken model is an error, never a reason to use another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from core.atomic import replacement
from core.errors import ModelInvalid
from model import files, weights
from model.card import Card
from storage.base import SHA256_HEX

CHECKPOINTS = Path(__file__).parent / "checkpoints"
DEFAULT = CHECKPOINTS / "default.safetensors"
"""The checkpoint that screens where no other one was deployed."""
PAEDIATRIC = CHECKPOINTS / "paediatric.safetensors"
"""A network of children alone, made from data under CC BY alone: for sites whose use other terms rule out."""
SHIPPED = (DEFAULT, PAEDIATRIC)
"""What comes with the code; each can be named by the stem of its file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model whose file was read and whose hash was verified."""

    name: str
    sha256: str
    path: Path
    card: Card


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


NamedModel = TypeVar("NamedModel", bound=Named)


def entry(path: Path, expect_sha256: str | None = None) -> Entry:
    """Read a checkpoint's card and verify its hash.

    Raises:
        ModelInvalid: it is missing, damaged, or another one than expected.
    """
    card = files.read_card(path)
    return Entry(card.name, files.verify(path, expect_sha256), path, card)


@lru_cache(maxsize=1)
def shipped() -> Entry:
    """The default model that comes with the code, read once a process.

    Raises:
        ModelInvalid: its file is missing or damaged.
    """
    return entry(DEFAULT)


@lru_cache(maxsize=1)
def all_shipped() -> tuple[Entry, ...]:
    """The models that come with the code, the default one first, read once a process.

    Raises:
        ModelInvalid: a file is missing or damaged.
    """
    return (shipped(), *map(entry, SHIPPED[1:]))


def by_key(models: Sequence[NamedModel], key: str) -> NamedModel:
    """The model of this name, or whose sha256 begins so (8 digits or more).

    `default` is the first one, and the others that come with the code are known by the stem of their file.

    Raises:
        ModelInvalid: none or more than one.
    """
    if key == "default":
        return models[0]
    key = next((entry(file).sha256 for file in SHIPPED if file.stem == key), key)
    matching = [model for model in models if model.name == key or (len(key) >= 8 and model.sha256.startswith(key))]
    if not matching:
        known = ", ".join(sorted({model.name for model in models}))
        raise ModelInvalid(f"There is no model {key!r}. Known: {known}.")
    if len(matching) > 1:
        hashes = ", ".join(model.sha256[:12] for model in matching)
        raise ModelInvalid(f"More than one model is called {key!r}; name one by its sha256: {hashes}.")
    return matching[0]


def named_hash(path: Path) -> str | None:
    """The sha256 that a file is named by; None for one that a person has named."""
    return path.stem if SHA256_HEX.fullmatch(path.stem) else None


class Registry:
    """Checkpoints below `models_dir`, which need not exist yet, behind the shipped ones: models without a service."""

    def __init__(self, models_dir: Path, shipped: Sequence[Path] = SHIPPED) -> None:
        self.models_dir = models_dir
        self.default, self._shipped = shipped[0], shipped

    def list(self) -> list[Entry]:
        """All models, the default one first.

        Raises:
            ModelInvalid: one of the files is damaged; the sentence names it.
        """
        models = {model.sha256: model for model in map(entry, self._shipped)}
        for path in sorted(self.models_dir.glob("*.safetensors")):
            imported = entry(path, named_hash(path))
            models.setdefault(imported.sha256, imported)
        return [*models.values()]

    def get(self, key: str) -> Entry:
        """The model with this key, as `by_key` reads it.

        Raises:
            ModelInvalid: none or more than one.
        """
        return entry(self.default) if key == "default" else by_key(self.list(), key)

    def primary(self) -> Entry:
        """The default model: another one can only be deployed in a service, which has a database."""
        return entry(self.default)

    def import_(self, source: Path) -> Entry:
        """Copy a checkpoint into the folder after verifying card and weights; importing it twice changes nothing.

        Raises:
            ModelInvalid: not a checkpoint that this version can run.
        """
        weights.check(source, files.read_card(source))  # found out now, not when a worker starts
        sha256 = files.verify(source, None)
        target = self.models_dir / f"{sha256}.safetensors"
        self.models_dir.mkdir(parents=True, exist_ok=True)
        with replacement(target) as draft:
            shutil.copyfile(source, draft)
            files.verify(draft, sha256)
        return entry(target, sha256)
