"""One training in several processes, as torchrun starts them. The samples of a step are shared out, gradients are
summed by PyTorch's DistributedDataParallel: so many processes take the same steps as one, but for rounding."""

from __future__ import annotations

import os
from types import TracebackType

import torch
from torch import nn

from cambium.status import CambiumError, Code


class Processes:
    """All processes of this training, of which this is one; a group of one where torchrun did not start it."""

    def __init__(self, device: str = "auto") -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self.local_count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self.device = self._device(device)

    def __enter__(self) -> Processes:
        if self.count > 1:
            torch.distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error others may never come to where this waits for them.
        if self.count > 1 and kind is None:
            torch.distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        """Who writes files and talks to people."""
        return self.rank == 0

    def use_threads(self, threads: int) -> None:
        """0: the machine's cores, shared out between its processes."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(threads or max(1, cores // self.local_count))

    def share(self, samples: int) -> range:
        """Which of a step's samples are this process's."""
        if samples < self.count:
            raise CambiumError(
                Code.bad_argument, f"batch is {samples}, expected at least {self.count}: a sample for each process"
            )
        return range(samples * self.rank // self.count, samples * (self.rank + 1) // self.count)

    def together(self, policy: nn.Module) -> nn.Module:
        """The policy, whose gradients become the mean over processes."""
        if self.count == 1:
            return policy
        return nn.parallel.DistributedDataParallel(
            policy, device_ids=[self.device.index] if self.device.type == "cuda" else None
        )

    def sum(self, numbers: list[float]) -> list[float]:
        """Number by number over all processes."""
        if self.count == 1:
            return numbers
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor)
        return [float(one) for one in tensor.cpu()]

    def wait(self) -> None:
        """Until all have come here."""
        self.sum([0.0])

    def _device(self, wanted: str) -> torch.device:
        if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise CambiumError(Code.unavailable, "--device cuda: PyTorch finds no GPU here")
        if self.local_rank >= torch.cuda.device_count():
            raise CambiumError(
                Code.unavailable,
                f"process {self.local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}; start "
                "as many processes, or say --device cpu",
            )
        return torch.device("cuda", self.local_rank)
