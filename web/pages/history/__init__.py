"""The results history."""
