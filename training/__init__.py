"""Makes checkpoints: data, split, augmentation, training, calibration, evaluation and the model's report."""
