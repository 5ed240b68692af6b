"""The published recipe: a frozen ImageNet backbone and a new head. It is the baseline that others are compared with."""
