"""Name and output size of the transform of `imaging.preprocess`, for modules that must not import a decoder."""

INPUT_PX = 224
"""Side of the network's input, in pixels."""
PREPROCESSING = f"gray, {INPUT_PX} x {INPUT_PX}, antialiased bilinear, aspect ratio not kept"
EQUALISED = f"{PREPROCESSING}, tones equalised"
"""The same, and then the network's own first step (model/tones.py)."""
SUPPORTED = (PREPROCESSING, EQUALISED)
"""Recorded in each model's card; a checkpoint made with another transform is refused."""
