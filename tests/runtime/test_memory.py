"""A lack of memory is recognised in all its forms, and explained in one sentence."""

from __future__ import annotations

import errno

import pytest

from napari_slicegan.runtime.memory import (
    LackOfMemoryError,
    is_full,
    lacks_memory,
    memory_explained,
)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


LACKS = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    # A library that is loaded, a thread, and torch's form of C++'s error.
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError("libgomp.so: cannot allocate memory in static TLS block"),
    RuntimeError("can't start new thread"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
    # What readers make of it, and writers of torch.
    caused(ValueError("a.tif: expected a complete image"), MemoryError()),
    caused(OSError(errno.EIO, "writing failed"), RuntimeError("can't allocate memory")),
]
OTHERS = [
    FileNotFoundError(errno.ENOENT, "No such file", "out of memory.tif"),
    ValueError("'out of memory' is no setting"),
    RuntimeError("could not create a primitive descriptor for a convolution"),
    caused(ValueError("Process 1: ..."), caused(LackOfMemoryError(), MemoryError())),
]


def test_a_full_disk_is_recognised() -> None:
    full = [OSError(number, "") for number in (errno.ENOSPC, errno.EDQUOT)]
    full.append(OSError("4096 requested and 0 written"))  # of numpy
    assert all(map(is_full, full))
    assert not any(map(is_full, [OSError(errno.EACCES, ""), OSError("requested")]))


def test_a_lack_of_memory_is_explained(
    subtests: pytest.Subtests,
) -> None:
    for error in LACKS:
        with subtests.test(str(error)):
            with pytest.raises(LackOfMemoryError, match=r"^Lower it\.$"):
                with memory_explained("Lower it."):
                    raise error


def test_other_errors_stay_what_they_are(
    subtests: pytest.Subtests,
) -> None:
    for error in OTHERS:
        with subtests.test(str(error)):
            assert not lacks_memory(error)
            with pytest.raises(type(error)) as caught, memory_explained():
                raise error
            assert caught.value is error
