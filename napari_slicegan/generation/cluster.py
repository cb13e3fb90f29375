"""The blocks of a volume on the workers of a dask.distributed cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.optional_packages import optional_package

if TYPE_CHECKING:
    from napari_slicegan.volumes.block_tree import Block, BlockTree

CONNECT_S = 10
# Blocks submitted per worker thread: one runs, the others are queued.
BLOCKS_PER_THREAD = 4


def made_on_cluster(
    address: str,
    tree: BlockTree,
    has: Callable[[Block], bool],
    make: Callable[[Block], bool],
) -> Iterator[Block]:
    """Have the workers make all blocks; yields each once it is written.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    has
        Whether a block is there already.
    make
        Makes a block in a worker process. If a worker is killed, another one makes its
        block again; `make` must leave existing blocks untouched.

    Raises
    ------
    ValueError
        If there is no scheduler or no worker, or workers die again and again.
    """
    distributed = optional_package("distributed", "speaks to the cluster", "scale")
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_connected(distributed, address))
        try:
            yield from _made(distributed, client, tree, has, make)
        except distributed.KilledWorker as error:
            raise ValueError(
                "Expected workers that stay alive, got several that died at the same "
                "block; give them more memory and run the same command again to resume."
            ) from error


def _connected(distributed: Any, address: str) -> Any:
    try:
        client = distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False, name="napari-slicegan"
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(
            f"Expected a dask scheduler at {address}, got no answer; start one with "
            "'dask scheduler' and pass its address."
        ) from error
    if not client.ncores():
        client.close()
        raise ValueError(
            f"Expected workers at {address}, got none; start some with "
            f"'dask worker {address}'."
        )
    return client


def _made(
    distributed: Any,
    client: Any,
    tree: BlockTree,
    has: Callable[[Block], bool],
    make: Callable[[Block], bool],
) -> Iterator[Block]:
    """Blocks as they are finished; only a limited number is at the scheduler."""
    limit = BLOCKS_PER_THREAD * sum(client.ncores().values())
    finished = distributed.as_completed(loop=client.loop)
    running: dict[Any, Block] = {}
    # Kept until the block of the next level that depends on them is submitted.
    futures: dict[Block, Any] = {}

    def wait() -> Block:
        future = next(finished)
        # Raises the worker's exception.
        future.result()
        return running.pop(future)

    for block in tree.in_order():
        if has(block):
            yield block
            continue
        children = tree.children(block)
        needed = [futures.pop(child) for child in children if child in futures]
        future = client.submit(_make_after, make, block, needed, pure=False)
        futures[block] = future
        running[future] = block
        finished.add(future)
        while len(running) >= limit:
            yield wait()
    while running:
        yield wait()


def _make_after(
    make: Callable[[Block], bool], block: Block, children: Sequence[bool]
) -> bool:
    """Make a block; dask runs this once the futures of its children are done."""
    return make(block)
