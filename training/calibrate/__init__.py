"""What makes probabilities of logits: calibration, operating point, and the limit beyond which a model abstains."""
