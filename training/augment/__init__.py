"""Distorted and restyled copies of images, for networks that are trained from end to end."""
