"""Synthetic radiographs and rows."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from sqlalchemy.orm import Session

from db import jobs, workers
from db.accounts import users
from db.session import now
from db.states import Priority, Role
from db.tables import Image, Job, User
from tests.testing.fakes import FAKE_SHA256


def radiograph(seed: int = 0, *, brightness: float = 0.4, size_px: tuple[int, int] = (120, 100)) -> NDArray[np.uint8]:
    """uint8 (H, W): two dark lung fields in a brighter thorax, with noise, so that no two seeds are alike.

    The mean is close to `brightness` (0..1), which is what FakeEngine answers.
    """
    width_px, height_px = size_px
    y, x = np.mgrid[-1 : 1 : height_px * 1j, -1 : 1 : width_px * 1j]
    lungs = np.exp(-(((np.abs(x) - 0.45) / 0.3) ** 2) - (y / 0.7) ** 2)
    noise = np.random.default_rng(seed).normal(0, 0.02, lungs.shape)
    field = 0.3 * (0.5 - lungs) + noise
    pixels: NDArray[np.uint8] = np.clip((field - field.mean() + brightness) * 255, 0, 255).astype(np.uint8)
    return pixels


def png(seed: int = 0, *, brightness: float = 0.4, size_px: tuple[int, int] = (120, 100)) -> bytes:
    return _encode(radiograph(seed, brightness=brightness, size_px=size_px), "PNG")


def png16(seed: int = 0) -> bytes:
    """The same radiograph with 12 bits a pixel, which no browser shows as it is."""
    return _encode(radiograph(seed).astype(np.uint16) * 16, "PNG")


def jpeg(seed: int = 0, *, brightness: float = 0.4, size_px: tuple[int, int] = (120, 100)) -> bytes:
    return _encode(radiograph(seed, brightness=brightness, size_px=size_px), "JPEG")


def png_header(width_px: int, height_px: int) -> bytes:
    """A PNG that claims any size in its header and holds next to nothing."""
    data = bytearray(png(size_px=(8, 8)))
    data[16:24] = width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def _encode(pixels: NDArray[np.uint8] | NDArray[np.uint16], kind: str) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def user(session: Session, name: str = "ada", role: Role = Role.ADMIN, password: str | None = None) -> User:
    return users.add_user(session, name=name, role=role, password=password, now=now(session))


def job(session: Session, owner: User, name: str = "ward 3", priority: Priority = Priority.BULK) -> Job:
    made, _ = jobs.create(session, user_id=owner.id, name=name, priority=priority, client_key=None, now=now(session))
    return made


def images(session: Session, of_job: Job, count: int, prefix: str = "image") -> list[Image]:
    """Queued rows whose bytes exist nowhere."""
    new = [
        jobs.NewImage(f"{prefix}-{i}.png", hashlib.sha256(f"{prefix}{i}".encode()).hexdigest(), "image/png", 10, 4, 4)
        for i in range(count)
    ]
    return jobs.add_images(session, of_job, new, now(session))


def model(session: Session, sha256: str = FAKE_SHA256, name: str = "fake-brightness") -> str:
    workers.register_model(session, sha256=sha256, name=name, card={}, now=now(session))
    return sha256
