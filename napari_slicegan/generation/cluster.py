"""The blocks of a volume on the workers of a dask.distributed cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.optional_packages import optional_package

if TYPE_CHECKING:
    from napari_slicegan.volumes.block_tree import Block, BlockTree

CONNECT_S = 10
TRIAL_S = 2
"""To see whether any program listens at an address."""
# Blocks at the scheduler for each thread: one runs, others wait for it to end.
BLOCKS_PER_THREAD = 4
# What other programs answer is as messages of dask too long, cut or of no type.
NO_MESSAGE = (ValueError, TypeError, KeyError, MemoryError, struct.error)
SCHEDULER = "a scheduler of dask"


def made_on_cluster(
    address: str,
    tree: BlockTree,
    has: Callable[[Block], bool],
    make: Callable[[Block], bool],
) -> Generator[Block, None, None]:
    """Compute all blocks on the workers; yields each when it is finished.

    Close it, as it holds a connection.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    has
        Whether a block exists already.
    make
        Makes a block in a worker process. The block of a killed worker is made again by
        another one; `make` must leave existing blocks as they are.

    Raises
    ------
    ValueError
        If there is no scheduler or no worker, workers die repeatedly, or the scheduler
        ends.
    """
    distributed = optional_package("distributed", "speaks to the cluster", "scale")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_without_log())
        client = stack.enter_context(_connected(distributed, address))
        try:
            yield from _made(distributed, client, tree, has, make)
        except distributed.KilledWorker as error:
            raise ValueError(
                "Expected workers that stay alive, got several that died at the same "
                "block; give them more memory and repeat the command to resume."
            ) from error
        except CancelledError as error:
            raise ValueError(
                f"Expected a scheduler at {address} until the end, got one that is "
                "gone; start it again and repeat the command to resume."
            ) from error


def check_cluster(address: str) -> None:
    """Refuse an address at which no scheduler answers, before the work.

    Raises
    ------
    ValueError
        See `made_on_cluster`.
    """
    distributed = optional_package("distributed", "speaks to the cluster", "scale")
    with _without_log(), _connected(distributed, address):
        pass


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """Without tracebacks of a lost connection, which ends in a sentence."""
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    """A client, closed at the end.

    One that fails in its constructor cannot be closed, and may wait for ever when
    Python collects it. So none is made before a scheduler has answered.
    """
    # Its own thread, as a notebook runs a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(asyncio.run, _kind(distributed, address)).result()
    try:
        if found != SCHEDULER:
            raise ValueError(found)
        client = distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False, name="napari-slicegan"
        )
    except (OSError, *NO_MESSAGE) as error:
        raise ValueError(
            f"Expected a dask scheduler at {address}, got "
            f"{'no answer' if found == SCHEDULER else found}; start one with 'dask "
            "scheduler' and give its address."
        ) from error
    with client:
        # Those that were started together with this program may come a little later.
        with contextlib.suppress(TimeoutError):
            client.wait_for_workers(1, timeout=CONNECT_S)
        if not client.ncores():
            raise ValueError(
                f"Expected workers at {address}, got none; start some with "
                f"'dask worker {address}'."
            )
        yield client


async def _kind(distributed: Any, address: str) -> str:
    """What answers at an address: `SCHEDULER`, or words for a refusal."""
    try:
        distributed.comm.get_address_host(address)
    except ValueError as error:
        return f"no address ({error})"
    try:
        secrets = distributed.Security().get_connection_args("client")
    except (OSError, ValueError) as error:
        return f"certificates in dask's settings that cannot be read ({error})"
    if address.startswith("tls:") and secrets.get("ssl_context") is None:
        return "an address that needs certificates, which dask's settings do not name"
    try:
        identity = await asyncio.wait_for(
            _identity(distributed, address, secrets), CONNECT_S
        )
        return f"a {str(identity['type']).lower()} of dask"
    except (distributed.comm.CommClosedError, *NO_MESSAGE):
        return "an answer of another program"
    except OSError:  # also when the time is over
        # A dashboard, as other web servers, waits for a request that dask never sends.
        if _listens(distributed.comm.get_address_host_port(address)):
            return "another program, such as its dashboard"
        return "no answer"


def _listens(place: tuple[str, int]) -> bool:
    """Whether a program accepts connections at a host and port."""
    try:
        socket.create_connection(place, TRIAL_S).close()
    except OSError:
        return False
    return True


async def _identity(distributed: Any, address: str, secrets: dict[str, Any]) -> Any:
    """What dask's program at an address says of itself."""
    line = await distributed.comm.connect(address, timeout=CONNECT_S, **secrets)
    try:
        await line.write({"op": "identity", "reply": True})
        return await line.read()
    finally:
        line.abort()


def _made(
    distributed: Any,
    client: Any,
    tree: BlockTree,
    has: Callable[[Block], bool],
    make: Callable[[Block], bool],
) -> Iterator[Block]:
    """Blocks as they are finished; only some of them are at the scheduler at a time."""
    # Those that wait for others, and those that others wait for.
    waiting: list[Block] = []
    unfinished: set[Block] = set()
    sent: dict[Any, Block] = {}
    finished = distributed.as_completed(loop=client.loop)
    limit = BLOCKS_PER_THREAD * sum(client.ncores().values())

    def send(block: Block) -> bool:
        """Send a block if those that it is computed from are finished."""
        if not unfinished.isdisjoint(tree.children(block)):
            return False
        future = client.submit(make, block, pure=False)
        sent[future] = block
        finished.add(future)
        return True

    def next_block() -> Block:
        future = next(finished)
        future.result()  # raises what was raised at the worker
        block = sent.pop(future)
        unfinished.discard(block)
        waiting[:] = [other for other in waiting if not send(other)]
        return block

    for block in tree.in_order():
        if has(block):
            yield block
            continue
        unfinished.add(block)
        if not send(block):
            waiting.append(block)
        while len(sent) >= limit or len(waiting) > limit:
            yield next_block()
    while sent:
        yield next_block()
