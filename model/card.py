"""What a checkpoint says of itself. Stored inside the checkpoint's file, so that its sha256 covers this too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.populations import Population
from imaging.transform import EQUALISED

ARCHITECTURE = "resnet18-gray-1logit"
"""torchvision's ResNet-18 with one logit of pneumonia, fed with gray (model/resnet.py)."""

EQUAL_DECISIONS = 0.995
PROBABILITY_CHANGE = 0.02
"""What int8 must reach on the validation part: decisions equal, and probabilities of 99 % of images this close."""

ACTIVATIONS = tuple(f"{block}.{place}" for block in range(8) for place in ("first", "out"))[:-1]
"""What is rounded to 8 bits: what the first convolution of each block gives, and the block, but for the last."""

VALIDATION, SITE = "validation", "site"

Unit = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Base of the card's parts: nobody changes them, and an unknown field is an error.

    Where the name of a field differs from its key in the JSON, as in checkpoints of before, the key is its alias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)


class OperatingPoint(Frozen):
    """At or above `threshold` on the calibrated probability an image is called pneumonia."""

    threshold: Unit
    rule: str = Field(description="How the threshold was chosen, and on what.")


class Calibration(Frozen):
    """Platt scaling, already folded into the last layer: probability = sigmoid(slope * raw + intercept)."""

    slope: float
    intercept: float
    prior: Unit = Field(description="Share of pneumonia for which the probability is calibrated.")


class TrainingData(Frozen):
    """What the network was fitted to."""

    source: str
    licence: str
    images: int
    patients: int
    pneumonia: int
    duplicates_left_out: int
    digest: str = Field(description="sha256 over labels and pixels.")


class OodLimit(Frozen):
    """Above `limit` on the ood score (model/ood.py) an image is refused."""

    limit: float
    rule: str = Field(description="How the limit was chosen, and on what.")
    images: int
    patients: int
    refused: dict[str, Unit] = Field(description="Share of images refused, by kind, that the statistics never saw.")


class GateLimits(Frozen):
    """What follows from the gate's probabilities (model/gate.py): not frontal is refused, and which view is told."""

    limit: Unit = Field(description="An image that is not frontal with a higher probability is refused.")
    ap: Unit = Field(description="At or above this probability of AP a frontal image is called AP.")
    pa: Unit = Field(description="At or below this probability of AP it is called PA; in between nothing is said.")
    rule: str = Field(description="How the limits were chosen, and on what.")
    images: int = Field(description="Frontal images, copies not counted.")
    not_frontal: int = Field(description="Images of other kinds, copies not counted.")
    refused: dict[str, Unit] = Field(
        description="Share of images that the gate alone refuses, by kind; fitted without their patients or their kind."
    )
    views: dict[str, Unit] = Field(description="By true view: share of images called so, and of those called wrongly.")


class PopulationFigures(Frozen):
    """Of one population's images as they are, out of fold."""

    sensitivity: Unit
    specificity: Unit
    auc: Unit
    calibration_error: Unit


class PopulationGain(Frozen):
    """What an operating point of its own brings a population, on images that the networks did not learn from."""

    figures: PopulationFigures
    common: PopulationFigures = Field(description="With the calibration and the threshold of all images.")
    gain: float = Field(
        description="Balanced accuracy on the validation part, fitted without it, minus that with the threshold of all."
    )
    interval: tuple[float, float] = Field(description="95 % interval of the gain, over patients; paired.")


class PopulationPoint(Frozen):
    """How images of one population are judged: by the probability sigmoid(slope * logit + intercept), where the logit
    is the network's, which is calibrated for all images together.
    """

    slope: Annotated[float, Field(gt=0)]
    intercept: float
    threshold: Unit
    own: bool = Field(description="False: calibration and threshold are those of all images, for its own were no use.")
    images: int = Field(description="Of this population, in the training and validation parts.")
    patients: int
    pneumonia: int
    measured: PopulationGain | None = Field(description="None where a site changed calibration or threshold.")


class Populations(Frozen):
    """Calibration and operating point of each population, and how well the network tells which an image is of."""

    child: PopulationPoint
    adult: PopulationPoint
    rule: str = Field(description="How both were fitted, and on what.")
    told: dict[str, Unit] = Field(
        description="Share of images whose population the network tells rightly; fitted without their patients."
    )

    def of(self, population: Population) -> PopulationPoint:
        return self.child if population is Population.CHILD else self.adult


class Agreement(Frozen):
    """How far predictions on 8-bit integers agree with those in float32, on images of one part of the split."""

    images: int
    equal_decisions: Unit = Field(description="Share of images with the same answer: normal, pneumonia or refused.")
    probability_change_p99: Unit = Field(description="99 of 100 images change their probability by no more than this.")

    @property
    def good(self) -> bool:
        """Whether int8 may stand in for float32 without being asked for."""
        return self.equal_decisions >= EQUAL_DECISIONS and self.probability_change_p99 <= PROBABILITY_CHANGE


class Quantization(Frozen):
    """What the network needs to run on 8-bit integers (model/engines/graph.py)."""

    ranges: dict[str, float] = Field(description="Up to where each activation is kept, by its name in the graph.")
    images: int = Field(description="Training images that the ranges were measured on.")
    shift: float = Field(default=0, description="By which the logit is too high; taken off. Mean of the same images.")
    bfloat16: bool = Field(default=False, description="Agreement was measured with the rest in bfloat16.")
    agreement: dict[str, Agreement] = Field(description="With float32, by part: validation, test or site.")

    @property
    def complete(self) -> bool:
        """False for a checkpoint quantised by an earlier version, which rounded fewer activations."""
        return self.ranges.keys() >= set(ACTIVATIONS)

    @property
    def good(self) -> bool:
        """Decided by the site's images where the operating point is the site's, else by the validation part."""
        decisive = self.agreement.get(SITE) or self.agreement.get(VALIDATION)
        return decisive is not None and decisive.good


class Site(Frozen):
    """How a site's own images changed the operating point of another model, the parent."""

    parent_name: str
    parent_sha256: str
    images: int
    patients: int
    pneumonia: int
    refused: int = Field(description="Further images that the parent would not judge; they were left out.")


class Card(Frozen):
    """All that is needed to use a checkpoint rightly, and to make it again."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    architecture: str
    created_at: datetime
    code_version: str
    classes: tuple[str, str] = ("normal", "pneumonia")
    preprocessing: str
    operating_point: OperatingPoint
    calibration: Calibration
    training_data: TrainingData
    backbone: str
    split: dict[str, int] = Field(description="Images in each part; parts share no patient.")
    config: dict[str, Any] = Field(description="The whole training configuration, the seed included.")
    metrics: dict[str, Any]
    intended_use: str
    limits: tuple[str, ...]
    ood: OodLimit | None = Field(default=None, alias="domain")
    gate: GateLimits | None = None
    populations: Populations | None = None
    quantization: Quantization | None = None
    site: Site | None = None

    @property
    def equalised(self) -> bool:
        """Whether the network equalises the tones of what it is given (model/tones.py)."""
        return self.preprocessing == EQUALISED
