"""From a trained network to the checkpoint that ships: 8-bit integers, the model card, the version of the code."""
