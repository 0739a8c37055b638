"""Choose where to compute, and how finely."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def choose() -> torch.device:
    """CUDA when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Large products in bfloat16 where the hardware does them faster, else as they are."""
    if device.type == "cuda":
        fit = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fit = bool(torch.backends.mkldnn.is_available()) and bool(  # type: ignore[no-untyped-call]
            torch.ops.mkldnn._is_mkldnn_bf16_supported()
        )
    return torch.autocast(device.type, torch.bfloat16) if fit else nullcontext()
