"""What is deleted: jobs (`deletion`), the bytes that no image refers to (`blobs`), step by step (`erasure`)."""
