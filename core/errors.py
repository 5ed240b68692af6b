"""The errors that a person may see, each with a stable code and one sentence.

`Permanent` means that trying again cannot help: the image fails. `Transient` means that it may: the image goes
back to the queue until its attempts are used up. The code is an API contract; the sentence is not. A sentence
never holds a file name or anything read from the file's own text, which may identify a patient.
"""

from __future__ import annotations

from typing import ClassVar


class PneumoscreenError(Exception):
    """Base of all errors that a user is meant to see."""

    code: ClassVar[str] = "internal_error"
    retry_after_s: int | None = None
    """After how many seconds the same request may succeed; None where it would fail again, or nobody knows."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(PneumoscreenError):
    """There is no such job, image, user, ..., or it is deleted."""

    code = "not_found"


class Conflict(PneumoscreenError):
    """What was asked for cannot be done in the present state of the job, image, user, ..."""

    code = "conflict"


class InvalidInput(PneumoscreenError):
    """A value that somebody typed or sent cannot be used; the sentence says what to change."""

    code = "invalid_request"


class Permanent(PneumoscreenError):
    """Fails the image at once; nothing else in its batch is touched."""

    retry_helps: ClassVar[bool] = False
    """Whether the same bytes may do better once something else was put right."""


class Transient(PneumoscreenError):
    """Sends the image back to the queue while attempts are left."""


class EmptyFile(Permanent):
    code = "empty_file"


class UnsupportedType(Permanent):
    code = "unsupported_type"


class TooLarge(Permanent):
    code = "too_large"


class TooManyPixels(Permanent):
    code = "too_many_pixels"


class CorruptImage(Permanent):
    code = "corrupt_image"


class ModelInvalid(Permanent):
    """A checkpoint is missing, truncated, of another architecture, or not the file its hash names."""

    code = "model_invalid"
    retry_helps = True


class BlobMissing(Transient):
    """The store lacks these bytes. On shared storage a file may show up late, or an operator may restore it."""

    code = "blob_missing"


class StorageUnavailable(Transient):
    code = "storage_unavailable"
    retry_after_s = 5


class StorageFull(StorageUnavailable):
    """The disk of the store has no space. A person has to make room, or to delete a job."""

    code = "storage_full"
    retry_after_s = 60


class StorageMissing(StorageUnavailable):
    """There is no store at the place that the settings name: a folder that is not mounted, an empty bucket."""

    code = "storage_missing"


class BlobDamaged(StorageUnavailable):
    """The store gave other bytes than were stored: on the way, or because it keeps them damaged."""

    code = "blob_damaged"


class StorageForeign(StorageUnavailable):
    """The store at this place holds the images of another database."""

    code = "storage_foreign"


class QueueFull(PneumoscreenError):
    """No place for more images; `retry_after_s` seconds from now there may be."""

    code = "queue_full"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyUploads(PneumoscreenError):
    """This process receives as many files as it can hold open."""

    code = "service_unavailable"
    retry_after_s = 5


class OutOfMemory(Transient):
    code = "out_of_memory"


class DeviceLost(PneumoscreenError):
    """The GPU answers this process no more, whatever the image: so no image loses an attempt by it."""

    code = "device_lost"


CONFIGURATION_STATUS = 2
"""Exit status of a process that ends with a ConfigurationError: starting it again would not help."""


class ConfigurationError(PneumoscreenError):
    """A setting, a directory or a port that the operator has to put right before the process can start."""

    code = "configuration"


def beyond_retry(kind: type[Permanent] = Permanent) -> frozenset[str]:
    """The codes of errors that lie in an image's own bytes: a retry of it ends as before."""
    below = (beyond_retry(each) for each in kind.__subclasses__())
    own = {kind.code} if kind is not Permanent and not kind.retry_helps else set()
    return frozenset(own.union(*below))
