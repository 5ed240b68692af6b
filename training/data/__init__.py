"""Labelled images: where they lie, who was split into which part, and their pixels in memory."""
