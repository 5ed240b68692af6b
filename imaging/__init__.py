"""What a file is, and its pixels: from bytes to the square of gray that the network takes.

`media` and `archives` read headers alone and decode no pixel, so that whoever faces the network may use them; `decode`
and `preprocess` are for those who screen. Imports `core`, and nothing else of ours.
"""
