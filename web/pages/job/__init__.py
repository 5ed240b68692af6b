"""The list of jobs, and one of them."""
