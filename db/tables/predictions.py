"""What models said of images, and what people said of that."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db.states import Decision, Opinion
from db.tables.base import Base, Id
from db.tables.models import Model
from db.tables.users import User


class Prediction(Base):
    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "image_id", "model_sha256", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    probability: Mapped[float] = mapped_column(Float, doc="Of pneumonia, calibrated, 0 to 1.")
    threshold: Mapped[float] = mapped_column(Float, doc="The operating point that was applied.")
    decision: Mapped[Decision]
    ood_score: Mapped[float | None] = mapped_column(
        "domain_score", Float, doc="How unlike the training images the image is; NULL: the model cannot tell."
    )
    ood_limit: Mapped[float | None] = mapped_column(
        "domain_limit", Float, doc="Above this score the model refuses to judge."
    )
    reason: Mapped[str | None] = mapped_column(String(300), doc="Why it was refused, as a sentence.")
    cam: Mapped[bytes | None] = mapped_column(LargeBinary(98), doc="Class activation map, see imaging/cam.py.")
    notes: Mapped[str | None] = mapped_column(String(300), doc="What makes it less reliable, as sentences.")
    box: Mapped[list[int] | None] = mapped_column(
        JSON(none_as_null=True),
        doc="The upright picture's width and height, then left, top, right, bottom of the part that was judged.",
    )
    kind: Mapped[ImageKind | None] = mapped_column(doc="What the image shows; NULL: the model cannot tell.")
    view: Mapped[View | None] = mapped_column(doc="How it was taken; NULL: that is not known.")
    population: Mapped[Population | None] = mapped_column(
        doc="As whose it was judged; NULL: the model judges all images alike."
    )
    population_by: Mapped[PopulationBy | None] = mapped_column(doc="How the population was known.")
    created_at: Mapped[datetime]
    model: Mapped[Model] = relationship(lazy="raise")
    reviews: Mapped[list[Review]] = relationship(lazy="raise", order_by="Review.id")


class Review(Base):
    """What a person said of a prediction. A second thought is a second row: nothing that was said is overwritten."""

    __tablename__ = "reviews"
    __table_args__ = (
        # For what one user has reviewed.
        Index("ix_reviews_user_id_prediction_id", "user_id", "prediction_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    opinion: Mapped[Opinion]
    note: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="raise")
