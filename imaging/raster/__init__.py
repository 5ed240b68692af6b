"""JPEG and PNG to gray: a file a format, and what both need. `imaging.decode` chooses between them."""
