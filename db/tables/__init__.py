"""The tables, a file a noun: `from db.tables import Image`. All are imported here, so `Base.metadata` is complete."""

from db.tables.audit import AuditEntry
from db.tables.base import MAX_FILENAME, Base, Id, UtcDateTime, is_modelled
from db.tables.images import UNJUDGED, Image, Preview, state_is, state_is_unindexed
from db.tables.jobs import Job, Rejection
from db.tables.models import Deployment, Model
from db.tables.predictions import Prediction, Review
from db.tables.saved_views import SavedView
from db.tables.sessions import BrowserSession, Search, SignInFailures
from db.tables.stores import BlobRemoval, RecordedStore
from db.tables.users import Token, User
from db.tables.workers import Heartbeat, Worker

__all__ = [
    "MAX_FILENAME",
    "UNJUDGED",
    "AuditEntry",
    "Base",
    "BlobRemoval",
    "BrowserSession",
    "Deployment",
    "Heartbeat",
    "Id",
    "Image",
    "Job",
    "Model",
    "Prediction",
    "Preview",
    "RecordedStore",
    "Rejection",
    "Review",
    "SavedView",
    "Search",
    "SignInFailures",
    "Token",
    "User",
    "UtcDateTime",
    "Worker",
    "is_modelled",
    "state_is",
    "state_is_unindexed",
]
