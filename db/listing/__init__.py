"""Which images a list shows, in which order, and how each database finds a part of a file name."""
