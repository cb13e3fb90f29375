"""Real samples of which each of several processes takes its shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slicegan.dataset import Source

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_slicegan.parallel.distributed import DistributedContext


class SharedSource(Source):
    """A source from which all processes draw together.

    All of them draw the same numbers, and each cuts only its own samples: together
    they see what one process would see of a batch as large as all of theirs.

    Parameters
    ----------
    parts
        Equal parts that a batch consists of, such as those of three axes; each
        process gets its shard of each part. A critic that is updated for each axis
        in turn has one part; in the generator's step a pairing objective then pairs
        other images than one process would.
    """

    def __init__(
        self, source: Source, distributed: DistributedContext, parts: int
    ) -> None:
        self._source = source
        self._distributed = distributed
        self._parts = parts

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose this process's `n` samples: ``[n, k]``."""
        chosen = self._source.draw(n * self._distributed.world_size, rng)
        return self._distributed.shard(chosen, self._parts)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen samples as network values."""
        return self._source.take(chosen)


def shared(source: Source, distributed: DistributedContext, parts: int) -> Source:
    """Source of this process's shard; a process that trains alone takes all."""
    alone = distributed.world_size == 1
    return source if alone else SharedSource(source, distributed, parts)
