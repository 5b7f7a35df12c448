"""Kernels as they stand, for the tests that hold the compiled ones to them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from khien.compiled import Kernel


def plainly(kernel: Kernel) -> Callable[..., Any]:
    """The function a kernel is compiled from, called with what the kernel is called with."""

    def run(*arguments: Any) -> Any:
        lists: list[tuple[np.ndarray, list[int]]] = []

        def flat(given: Any) -> Any:
            if not isinstance(given, np.ndarray):
                return given
            array = given.reshape(-1)
            if array.itemsize == 8:
                return array
            lists.append((array, array.tolist()))  # interpreted, narrow numbers would not widen as they do compiled
            return lists[-1][1]

        with np.errstate(over="ignore"):  # hashes wrap around, as they do compiled
            answer = kernel.plain(*map(flat, arguments))
        for array, values in lists:
            if array.flags.writeable:
                array[:] = values
        return answer

    return run


def interpret(patch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Makes every kernel of modules run as the plain function it is."""
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, Kernel):
                patch.setattr(module, name, plainly(value))
