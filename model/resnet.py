"""The architecture: torchvision's ResNet-18, from gray bytes to one logit.

Normalisation and the folding of gray into three channels are part of the network, so that no caller can get
them wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

FEATURES = 512

# Mean and standard deviation of ImageNet per RGB channel, for which the backbone was trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GrayResNet(nn.Module):
    """ResNet-18 with one logit of pneumonia; `body` holds torchvision's own key names."""

    def __init__(self) -> None:
        super().__init__()
        self.body = resnet18(weights=None, num_classes=1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, gray: Tensor) -> Tensor:
        """uint8 (N, 224, 224) -> float (N,) calibrated logit of pneumonia."""
        logits: Tensor = self.body(self.normalise(gray))
        return logits[:, 0]

    def normalise(self, gray: Tensor) -> Tensor:
        """uint8 (N, H, W) -> (N, 3, H, W) as the backbone saw ImageNet, in the network's own dtype."""
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (gray.to(mean.dtype).div(255).unsqueeze(1) - mean) / std


def build() -> GrayResNet:
    """A new network with random weights, ready for inference."""
    return GrayResNet().eval()
