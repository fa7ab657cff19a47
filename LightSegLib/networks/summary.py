"""What a network costs and sees: parameters, multiply-adds, receptive field, memory, without computing anything."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["NetworkSummary", "summary"]

CONVOLUTIONS = ("convolution", "_convolution")
POOLINGS = ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d")
UPSAMPLINGS = ("upsample_nearest2d", "upsample_nearest3d")
BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm")


@dataclass(frozen=True)
class NetworkSummary:
    """The costs of one forward pass without gradients, in float32.

    `parameters`; `multiply_adds` of convolutions and matrix products; `receptive_field`: the voxels of the input, by
    axis, that reach an output voxel through convolutions and poolings; `sees_everything`: whether a mean or maximum
    over the whole input (squeeze-and-excitation, instance or group normalization, global pooling) reaches it as well;
    `memory_bytes`: parameters and the largest sum of the tensors that are alive at once, as PyTorch holds them layer
    by layer.
    """

    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, ...]
    sees_everything: bool
    memory_bytes: int


def summary(network: nn.Module, shape: Sequence[int]) -> NetworkSummary:
    """Summarize `network` for an input of `shape`, (n, c, *spatial).

    Runs a copy on PyTorch's meta device, where tensors have shapes and no values, so that any width and size is free.
    """
    dummy = copy.deepcopy(network).to("meta").eval()
    parameters = sum(parameter.numel() for parameter in dummy.parameters())
    counter = FlopCounterMode(display=False)
    tracker = _Tracker(dimensions=len(shape) - 2)
    with torch.no_grad(), counter, tracker:
        output = dummy(tracker.follow(torch.empty(tuple(shape), device="meta")))
    reach = tracker.reach_of(output)
    state_bytes = sum(tensor.nbytes for tensor in dummy.state_dict().values())
    return NetworkSummary(
        parameters=parameters,
        multiply_adds=counter.get_total_flops() // 2,  # the counter has two operations in each multiply-add
        receptive_field=reach.extent,
        sees_everything=reach.everything,
        memory_bytes=state_bytes + tracker.peak_bytes,
    )


@dataclass(frozen=True)
class _Reach:
    """What voxel i of a tensor sees, by axis, in voxels of the input: `first` + i * `step` to `last` + i * `step`."""

    first: tuple[float, ...]
    last: tuple[float, ...]
    step: tuple[float, ...]
    everything: bool = False

    @property
    def extent(self) -> tuple[int, ...]:
        return tuple(math.ceil(last - first) + 1 for first, last in zip(self.first, self.last, strict=True))

    def through_window(self, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> _Reach:
        """Return the reach after a window of `kernel` voxels that moves by `stride` and starts `padding` outside."""
        axes = list(zip(self.first, self.last, self.step, kernel, stride, padding, strict=True))
        return _Reach(
            tuple(first - before * step for first, _, step, _, _, before in axes),
            tuple(last + (size - 1 - before) * step for _, last, step, size, _, before in axes),
            tuple(step * by for _, _, step, _, by, _ in axes),
            self.everything,
        )

    def through_transposed(self, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> _Reach:
        """Return the reach after a transposed convolution, that of its widest output voxel on either side.

        Output o takes the inputs from ceil((o + padding - kernel + 1) / stride) to floor((o + padding) / stride).
        """
        first, last, steps = [], [], []
        for start, end, step, size, by, before in zip(
            self.first, self.last, self.step, kernel, stride, padding, strict=True
        ):
            steps.append(step / by)
            first.append(min(start + step * math.ceil((o + before - size + 1) / by) - o * step / by for o in range(by)))
            last.append(max(end + step * math.floor((o + before) / by) - o * step / by for o in range(by)))
        return _Reach(tuple(first), tuple(last), tuple(steps), self.everything)


class _Tracker(TorchDispatchMode):
    """Follows every operation: the reach of each tensor, and how many bytes are alive."""

    def __init__(self, *, dimensions: int) -> None:
        super().__init__()
        self.peak_bytes = 0
        self._live: dict[int, int] = {}
        self._start = _Reach((0.0,) * dimensions, (0.0,) * dimensions, (1.0,) * dimensions)
        self._reach: weakref.WeakKeyDictionary[torch.UntypedStorage, _Reach] = weakref.WeakKeyDictionary()

    def follow(self, image: Tensor) -> Tensor:
        """Start at the network's input."""
        self._reach[image.untyped_storage()] = self._start
        return image

    def reach_of(self, tensor: Tensor) -> _Reach:
        """Return the reach of a tensor that was computed from the input."""
        return self._reach[tensor.untyped_storage()]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        storages = [value.untyped_storage() for value in _flat(args) if isinstance(value, Tensor)]
        known = [self._reach[storage] for storage in storages if storage in self._reach]
        reach = self._after(func.overloadpacket.__name__, args, _widest(known)) if known else None
        for tensor in _flat((result,)):
            if isinstance(tensor, Tensor):
                self._keep(tensor.untyped_storage(), reach)
        return result

    def _after(self, name: str, args: tuple[Any, ...], reach: _Reach) -> _Reach:
        if name in CONVOLUTIONS:
            kernel, stride, padding, dilation, transposed = args[1].shape[2:], args[3], args[4], args[5], args[6]
            if transposed:
                return reach.through_transposed(kernel, stride, padding)
            wide = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilation, strict=True)]
            return reach.through_window(wide, stride, padding)
        if name in POOLINGS:
            return reach.through_window(args[1], args[2] or args[1], [0] * len(reach.step))
        if name in UPSAMPLINGS:
            factors = [round(out / size) for out, size in zip(args[1], args[0].shape[2:], strict=True)]
            return reach.through_transposed(factors, factors, [0] * len(factors))
        if name == "constant_pad_nd":
            # pairs (before, after), the last axis first
            before = [*[0] * len(reach.step), *args[1][-2::-2]][-len(reach.step) :]
            return reach.through_window([1] * len(before), [1] * len(before), before)
        if name in ("amax", "mean", "native_group_norm") or (name in BATCH_NORMS and args[5]):
            return replace(reach, everything=True)
        return reach

    def _keep(self, storage: torch.UntypedStorage, reach: _Reach | None) -> None:
        if reach is not None:  # else computed from weights alone
            self._reach[storage] = reach
        key = storage._cdata
        if key not in self._live:
            self._live[key] = storage.nbytes()
            self.peak_bytes = max(self.peak_bytes, sum(self._live.values()))
            weakref.finalize(storage, self._live.pop, key, None)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, (tuple, list)):
        return [item for value in values for item in _flat(value)]
    return [values]


def _widest(reaches: Sequence[_Reach]) -> _Reach:
    """Merge what is added or concatenated; a tensor without a spatial axis (a gate) takes the others' step."""
    return _Reach(
        tuple(map(min, zip(*(reach.first for reach in reaches), strict=True))),
        tuple(map(max, zip(*(reach.last for reach in reaches), strict=True))),
        tuple(map(min, zip(*(reach.step for reach in reaches), strict=True))),
        any(reach.everything for reach in reaches),
    )
