"""The JSON API, /api/v1: one file for each resource, with its shapes and its views. `blueprint` has all of them."""

from __future__ import annotations

from web.api import account, image_files, images, jobs, rejections, results, reviews, uploads
from web.api.base import DESCRIPTION, MAX_FILES_PER_REQUEST, SECURITY_SCHEMES, blueprint

__all__ = [
    "DESCRIPTION",
    "MAX_FILES_PER_REQUEST",
    "SECURITY_SCHEMES",
    "account",
    "blueprint",
    "image_files",
    "images",
    "jobs",
    "rejections",
    "results",
    "reviews",
    "uploads",
]
