"""The architecture: torchvision's ResNet-18, from gray bytes to one logit.

Normalisation and the spreading of gray over three channels are part of the network, so that no caller can get
them wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from model.output import NetworkOutput
from model.tones import equalise
from model.weights import FEATURES, POOLED

__all__ = ["FEATURES", "POOLED", "GrayResNet", "build"]

# Mean and standard deviation of ImageNet per RGB channel, for which the backbone was trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GrayResNet(nn.Module):
    """ResNet-18 with one logit of pneumonia; `body` holds torchvision's own key names.

    `equalised` says that gray becomes its rank first (model/tones.py).
    """

    def __init__(self, *, equalised: bool = False) -> None:
        super().__init__()
        self.equalised = equalised
        self.body = resnet18(weights=None, num_classes=1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, gray: Tensor) -> NetworkOutput[Tensor]:
        """uint8 (N, 224, 224) -> all that one pass gives."""
        body = self.body
        stem = body.maxpool(body.relu(body.bn1(body.conv1(self.normalise(gray)))))
        third = body.layer3(body.layer2(body.layer1(stem)))
        last = body.layer4(third)
        pooled = last.mean((2, 3))
        cam = nn.functional.conv2d(last, body.fc.weight[:, :, None, None], body.fc.bias)[:, 0]
        return NetworkOutput(body.fc(pooled)[:, 0], cam, torch.cat([third.mean((2, 3)), pooled], 1))

    def logits(self, gray: Tensor) -> Tensor:
        """uint8 (N, 224, 224) -> float (N,) logit of pneumonia, and nothing else; training needs no more."""
        logits: Tensor = self.body(self.normalise(gray))
        return logits[:, 0]

    def normalise(self, gray: Tensor) -> Tensor:
        """uint8 (N, H, W) -> (N, 3, H, W) as the backbone saw ImageNet, in the network's own dtype."""
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        gray = equalise(gray) if self.equalised else gray
        return (gray.to(mean.dtype).div(255).unsqueeze(1) - mean) / std


def build(*, equalised: bool = False) -> GrayResNet:
    """A new network with random weights, ready for inference."""
    return GrayResNet(equalised=equalised).eval()
