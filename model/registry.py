"""The models an installation knows: the shipped default, and files that an operator imported.

Imported files are named by their sha256. The file `active` names the model in use; without it the shipped
default is. A broken model is an error, never a reason to use another one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.atomic import replacement, write_bytes
from core.errors import ModelInvalid
from model import files, weights
from model.card import Card

DEFAULT = Path(__file__).parent / "checkpoints" / "default.safetensors"
"""The checkpoint that comes with the code."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model whose file was read and whose hash was verified."""

    name: str
    sha256: str
    path: Path
    card: Card
    active: bool


@lru_cache(maxsize=4)
def _sha256_once(path: Path, _modified_ns: int) -> str:
    return files.verify(path, None)


class Registry:
    """Models below `models_dir`, which need not exist yet."""

    def __init__(self, models_dir: Path, default: Path = DEFAULT) -> None:
        self.models_dir = models_dir
        self.default = default

    def list(self) -> list[Entry]:
        """All models, the shipped default first.

        Raises:
            ModelInvalid: one of the files is damaged; the sentence names it.
        """
        active = self._active_sha256()
        default = self._entry(self.default, None, active)
        imported = [self._entry(path, path.stem, active) for path in sorted(self.models_dir.glob("*.safetensors"))]
        return [default, *(entry for entry in imported if entry.sha256 != default.sha256)]

    def get(self, key: str) -> Entry:
        """The model of this name, or whose sha256 begins so (8 digits or more); `default` is the shipped one.

        Raises:
            ModelInvalid: none or more than one.
        """
        entries = self.list()
        if key == "default":
            return entries[0]
        found = [e for e in entries if e.name == key or (len(key) >= 8 and e.sha256.startswith(key))]
        if not found:
            known = ", ".join(sorted({entry.name for entry in entries}))
            raise ModelInvalid(f"There is no model {key!r}. Known: {known}.")
        if len(found) > 1:
            hashes = ", ".join(entry.sha256[:12] for entry in found)
            raise ModelInvalid(f"More than one model is called {key!r}; name one by its sha256: {hashes}.")
        return found[0]

    def import_(self, source: Path) -> Entry:
        """Copy a checkpoint into the registry after verifying card and weights; importing it twice changes nothing.

        Raises:
            ModelInvalid: not a checkpoint that this version can run.
        """
        weights.check(source, files.read_card(source))  # found out now, not when a worker starts
        sha256 = files.verify(source, None)
        target = self._path(sha256)
        self.models_dir.mkdir(parents=True, exist_ok=True)
        with replacement(target) as draft:
            shutil.copyfile(source, draft)
            files.verify(draft, sha256)
        return self._entry(target, sha256, self._active_sha256())

    def activate(self, key: str) -> Entry:
        """Make a model the one in use; workers load it when they next start.

        Raises:
            ModelInvalid: there is no such model.
        """
        entry = self.get(key)
        if entry.path == self.default:
            # No file rather than its hash, so that an upgrade brings its own default into use.
            self._active_file.unlink(missing_ok=True)
        else:
            self._write_active(entry.sha256)
        return self._entry(entry.path, entry.sha256, self._active_sha256())

    def active(self) -> Entry:
        """The model in use.

        Raises:
            ModelInvalid: it is missing, damaged or changed.
        """
        sha256 = self._active_sha256()
        if sha256 is None:
            return self._entry(self.default, None, None)
        return self._entry(self._path(sha256), sha256, sha256)

    def deployed_sha256(self) -> str:
        """Of the model in use, by its name alone: cheap enough to be asked every second.

        Raises:
            ModelInvalid: there is no such file.
        """
        sha256 = self._active_sha256()
        path = self.default if sha256 is None else self._path(sha256)
        try:
            modified_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise ModelInvalid(f"The model {path} cannot be read: {error.strerror}.") from error
        return sha256 or _sha256_once(path, modified_ns)

    @property
    def _active_file(self) -> Path:
        return self.models_dir / "active"

    def _active_sha256(self) -> str | None:
        try:
            return self._active_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelInvalid(f"Cannot read {self._active_file}; run `pneumoscreen model activate`.") from error

    def _write_active(self, sha256: str) -> None:
        write_bytes(self._active_file, f"{sha256}\n".encode("ascii"))

    def _path(self, sha256: str) -> Path:
        return self.models_dir / f"{sha256}.safetensors"

    def _entry(self, path: Path, expect_sha256: str | None, active: str | None) -> Entry:
        card = files.read_card(path)
        sha256 = files.verify(path, expect_sha256)
        is_active = path == self.default if active is None else sha256 == active and path != self.default
        return Entry(card.name, sha256, path, card, is_active)
