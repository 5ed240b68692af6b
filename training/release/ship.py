"""Making a checkpoint the one that comes with the code."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.atomic import replacement
from core.errors import InvalidInput
from model import files
from model.registry import DEFAULT
from training.release import model_card

ROOT = Path(__file__).parents[2]


def ship_checkpoint(source: Path, root: Path = ROOT) -> Path:
    """Put a checkpoint at model/checkpoints/default.safetensors and write MODEL_CARD.md from it.

    Raises:
        InvalidInput: `root` is no checkout of the project.
        ModelInvalid: `source` is no checkpoint that this version can run.
    """
    if not (root / "pyproject.toml").is_file():
        raise InvalidInput(f"{root} is no checkout of pneumoscreen; to install a model use `model import`.")
    card, sha256 = files.read_card(source), files.file_sha256(source)
    target = root / DEFAULT.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacement(target) as draft:
        shutil.copyfile(source, draft)
    (root / "MODEL_CARD.md").write_text(model_card.render(card, sha256), encoding="utf-8")
    return target
