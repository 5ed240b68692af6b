"""The names of the engines that run the network (model/engines/); the settings list them, without torch."""

from __future__ import annotations

from typing import Literal

EngineName = Literal["auto", "torch-cpu", "torch-cuda", "openvino", "openvino-int8"]
