"""From a trained network to the checkpoint that ships: integers, the report, the version that made it."""
