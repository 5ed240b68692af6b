"""The architecture: torchvision's ResNet-18, from gray bytes to one logit.

Normalisation and the folding of gray into three channels are part of the network, so that no caller can get
them wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from model.weights import FEATURES, POOLED

__all__ = ["FEATURES", "POOLED", "GrayResNet", "Seen", "build"]

# Mean and standard deviation of ImageNet per RGB channel, for which the backbone was trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Seen:
    """All that one forward pass gives of N images.

    Attributes:
        logits: (N,), calibrated logit of pneumonia.
        cam: (N, 7, 7), class activation map (Zhou et al. 2016, arXiv:1512.04150). The network pools globally before
            its one linear layer, so the map is exact: its mean is the logit.
        pooled: (N, 768), global averages of the last two stages.
    """

    logits: Tensor
    cam: Tensor
    pooled: Tensor


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

    def look(self, gray: Tensor) -> Seen:
        """uint8 (N, 224, 224) -> logits, class activation maps and pooled features, in one pass."""
        body = self.body
        stem = body.maxpool(body.relu(body.bn1(body.conv1(self.normalise(gray)))))
        third = body.layer3(body.layer2(body.layer1(stem)))
        last = body.layer4(third)
        pooled = last.mean((2, 3))
        cam = nn.functional.conv2d(last, body.fc.weight[:, :, None, None], body.fc.bias)[:, 0]
        return Seen(body.fc(pooled)[:, 0], cam, torch.cat([third.mean((2, 3)), pooled], 1))

    def normalise(self, gray: Tensor) -> Tensor:
        """uint8 (N, H, W) -> (N, 3, H, W) as the backbone saw ImageNet, in the network's own dtype."""
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (gray.to(mean.dtype).div(255).unsqueeze(1) - mean) / std


def build() -> GrayResNet:
    """A new network with random weights, ready for inference."""
    return GrayResNet().eval()
