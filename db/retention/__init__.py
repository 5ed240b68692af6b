"""Deletion of jobs (`deletion`) and of the bytes that no image refers to (`blobs`), in small steps (`erasure`)."""
