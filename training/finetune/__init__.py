"""The recipe of the shipped model: the whole network learns, in stages of growing resolution."""
