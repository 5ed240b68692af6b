"""The bytes of the images: in a directory or in object storage, each blob named by its sha256.

`open_store` gives the store that the settings ask for. Imports `core`, and nothing else of ours.
"""
