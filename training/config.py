"""The training configuration, a TOML file; what of it a run used is recorded in the checkpoint's card."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ConfigurationError
from training.augment.distort import DistortConfig
from training.finetune.schedule import FinetuneConfig
from training.frozen.head import HeadConfig
from training.frozen.views import AugmentConfig

DEFAULT_CONFIG = Path(__file__).parent / "configs" / "default.toml"


class Provenance(BaseModel):
    """Where a source's images come from, and under which terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    citation: str
    licence: str


class DataConfig(BaseModel):
    """What the sets themselves do not say of their sources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    same_as: Annotated[
        dict[str, str], Field(description="A source that counts to another one, for want of images of both classes.")
    ] = {}
    populations: Annotated[
        dict[str, Literal["child", "adult"]], Field(description="Of a source's images whose age is not known.")
    ] = {}
    provenance: Annotated[dict[str, Provenance], Field(description="Of each source, for the card.")] = {}
    trained_on: Annotated[
        str, Field(description="The first of the card's limits: whom the model learned from, and whom not.")
    ] = ""


class TrainConfig(BaseModel):
    """One training run: the whole network (`finetune`, `distort`), or a head alone (`views`, `head`, `augment`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "resnet18"
    method: Literal["finetune", "frozen"] = "finetune"
    seed: Annotated[int, Field(ge=0)] = 0
    sensitivity: Annotated[
        float | None, Field(gt=0, le=1, description="Share of pneumonias that the operating point must find.")
    ] = None
    data: DataConfig = DataConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    distort: DistortConfig = DistortConfig()
    views: Annotated[int, Field(ge=0, description="Augmented copies of each image, beside the plain one.")] = 4
    head: HeadConfig = HeadConfig()
    augment: AugmentConfig = AugmentConfig()

    @property
    def equalised(self) -> bool:
        """Whether the network equalises tones first."""
        return self.method == "finetune" and self.finetune.equalised

    def recorded(self) -> dict[str, Any]:
        """What the method uses, for the card."""
        unused = {"views", "head", "augment"} if self.method == "finetune" else {"finetune", "distort"}
        return self.model_dump(mode="json", exclude=unused)


def load_config(file: Path, seed: int | None = None) -> TrainConfig:
    """Read a configuration; `seed`, when given, overrides the file's.

    Raises:
        ConfigurationError: the file is missing, is no TOML, or has a wrong or unknown entry.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
        return TrainConfig.model_validate(values if seed is None else {**values, "seed": seed})
    except OSError as error:
        raise ConfigurationError(f"Cannot read the configuration {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigurationError(f"{file}: {problems}.") from None
