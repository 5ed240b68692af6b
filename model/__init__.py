"""Bytes and arrays in, probabilities out: knows no database, no queue and no web."""
