"""One image, and what the model said of it."""
