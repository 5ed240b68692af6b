"""The devices that networks are trained on: all GPUs, or the CPU. Lightning Fabric hides the difference."""

from __future__ import annotations

import logging
from typing import Final, Literal

import torch
from lightning_fabric import Fabric
from torch import nn

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its greeting would break the progress bars

PRECISIONS: Final[dict[str, Literal["bf16-mixed", "32-true"]]] = {"bfloat16": "bf16-mixed", "float32": "32-true"}


def fabric(precision: str, count: int | None = None) -> Fabric:
    """A Fabric of `count` processes, one for each GPU or, where there is none, on the CPU.

    By default one for each GPU that `CUDA_VISIBLE_DEVICES` shows, and one on a machine without. More than one must be
    launched; what they run, and its arguments, must be picklable.
    """
    cuda = torch.cuda.is_available()
    chosen = count or (torch.cuda.device_count() if cuda else 1)
    return Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=chosen,
        strategy="ddp_spawn" if chosen > 1 else "auto",
        precision=PRECISIONS[precision],
    )


def place(fabric: Fabric, module: nn.Module) -> nn.Module:
    """The module on its process's device, its statistics of batch normalisation taken over all GPUs at once."""
    if fabric.world_size > 1 and fabric.device.type == "cuda":  # torch has it for CUDA alone
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    placed: nn.Module = fabric.to_device(module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed
