"""The body of a request before a view sees it: multipart, spools, limits, refusals."""
