"""Batch-norm statistics that belong to given weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["renew_batch_norm"]


@torch.no_grad()
def renew_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> int:
    """Replace the running means and variances by plain averages over the batches; return how many were used.

    Averaged weights were never run forward in training, so the statistics copied from the training network do not fit
    them (Izmailov et al. 2018, section 3.3). Inputs (n, c, *spatial). The network is left in evaluation mode; without
    batches or without batch-norm layers nothing changes.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    network.eval()
    if not norms:
        return 0
    momenta = [norm.momentum for norm in norms]
    used = 0
    for inputs in batches:
        if used == 0:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # PyTorch's word for a cumulative average
                norm.train()
        network(inputs)
        used += 1
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    return used
