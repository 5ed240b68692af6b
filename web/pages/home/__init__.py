"""The start: send images, see what the service does."""
