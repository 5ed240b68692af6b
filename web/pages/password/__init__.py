"""One's own password."""
