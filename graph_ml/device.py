"""Choose where to compute, and how finely."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

Forward = Callable[[], Any]


def choose() -> torch.device:
    """CUDA when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def compiled(model: nn.Module, device: torch.device, backend: str = "inductor") -> Forward:
    """The model's forward as one program on CUDA (``torch.compile``), where it is run thousands of
    times; as it is on the CPU, where compiling takes longer than it saves."""
    if device.type != "cuda" and backend == "inductor":
        return model
    found: Forward = torch.compile(model, backend=backend)
    return found


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Large products in bfloat16 where the hardware does them faster, else as they are."""
    if device.type == "cuda":
        fit = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fit = bool(torch.backends.mkldnn.is_available()) and bool(  # type: ignore[no-untyped-call]
            torch.ops.mkldnn._is_mkldnn_bf16_supported()
        )
    return torch.autocast(device.type, torch.bfloat16) if fit else nullcontext()
