"""Want of memory is known from an error, whoever raises it and whatever it has led to."""

from __future__ import annotations

import pytest

from lrd.training.out_of_memory import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_want_of_memory_is_known(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory


def after(first: Exception, then: Exception, hidden: bool) -> Exception:
    """``then``, raised while ``first`` was being dealt with."""
    try:
        try:
            raise first
        except type(first):
            if hidden:
                raise then from None
            raise then  # noqa: B904
    except type(then) as error:
        return error


@pytest.mark.parametrize("hidden", [False, True])
def test_so_it_is_by_what_it_led_to_if_that_is_shown(hidden: bool) -> None:
    """A recording within which memory ended says, where it is closed, that it was not closed well."""
    closed = RuntimeError("operation failed due to a previous error during capture")
    assert is_out_of_memory(after(RuntimeError("CUDA out of memory"), closed, hidden)) != hidden
