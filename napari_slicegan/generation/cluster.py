"""The blocks of a volume on the workers of a dask.distributed cluster."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.optional_packages import optional_package

if TYPE_CHECKING:
    from napari_slicegan.volumes.block_tree import Block, BlockTree

CONNECT_S = 10
# Blocks at the scheduler for each thread: one runs, others wait for it to end.
BLOCKS_PER_THREAD = 4


def made_on_cluster(
    address: str,
    tree: BlockTree,
    has: Callable[[Block], bool],
    make: Callable[[Block], bool],
) -> Iterator[Block]:
    """Have all blocks made by workers; yields each when it is there.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    has
        Whether a block is there already.
    make
        Makes a block in the process of a worker. A block that a killed worker was at is
        made again by another one; `make` must leave those that are there.

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
                "block; give them more memory and the same command again to go on."
            ) from error


def _connected(distributed: Any, address: str) -> Any:
    try:
        client = distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False, name="napari-slicegan"
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(
            f"Expected a dask scheduler at {address}, got no answer; start one with "
            "'dask scheduler' and say its address."
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
    """Blocks as they are finished; only some of them are at the scheduler at a time."""
    order = tree.in_order()
    # Those that wait for others, and those that others wait for.
    waiting: deque[Block] = deque()
    flying: dict[Any, Block] = {}
    unfinished: set[Block] = set()
    finished = distributed.as_completed(loop=client.loop)
    limit = BLOCKS_PER_THREAD * sum(client.ncores().values())

    def send(block: Block) -> None:
        future = client.submit(make, block, pure=False)
        flying[future] = block
        finished.add(future)

    for block in order:
        if has(block):
            yield block
            continue
        unfinished.add(block)
        if unfinished.isdisjoint(tree.children(block)):
            send(block)
        else:
            waiting.append(block)
        while len(flying) >= limit or len(waiting) > limit:
            yield from _landed(finished, flying, unfinished)
            _send_ready(tree, waiting, unfinished, send)
    while flying:
        yield from _landed(finished, flying, unfinished)
        _send_ready(tree, waiting, unfinished, send)


def _landed(
    finished: Any, flying: dict[Any, Block], unfinished: set[Block]
) -> Iterator[Block]:
    """Wait for one block."""
    future = next(finished)
    # Raises what was raised at the worker.
    future.result()
    block = flying.pop(future)
    unfinished.discard(block)
    yield block


def _send_ready(
    tree: BlockTree,
    waiting: deque[Block],
    unfinished: set[Block],
    send: Callable[[Block], None],
) -> None:
    """Send the blocks that wait for nothing any more."""
    for _ in range(len(waiting)):
        block = waiting.popleft()
        if unfinished.isdisjoint(tree.children(block)):
            send(block)
        else:
            waiting.append(block)
