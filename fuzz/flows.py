"""Fuzzes NetFlow v5, v7, v9 and IPFIX: rows, no error, nothing read outside. Needs atheris; stands outside the tests.

    python3 dev fuzz flows 1000000

Kernels are compiled and cannot be watched: they are run as they stand, over buffers that fail where one is left, and
watched. An input is datagrams one after the other, each behind two bytes: who sends it, and its length.
"""

import sys
from typing import Any

import atheris
import numpy as np

from khien.compiled import Kernel

with atheris.instrument_imports(include=["khien.flows"]):
    from khien.errors import FormatError
    from khien.flows import decoder, reference
    from khien.flows.datagrams import datagrams

# Little room, so that it is soon full and kernels are given little to copy.
for _name, _most in {"EXPORTERS": 2, "DOMAINS": 4, "PLANS": 8, "RATES": 32}.items():
    setattr(decoder, f"MOST_{_name}", _most)
decoder.RUNS = decoder.RATES_EACH = 4
decoder.KERNELS = ()  # watched code does not compile: it is run as it stands
_NOW = 1_750_000_000_000_000


class _Buffer:
    """Numbers that are read and written only where they are."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers.reshape(-1).tolist()

    def __getitem__(self, at: int) -> int:
        assert at >= 0, "reads before the buffer"
        return self.numbers[at]

    def __setitem__(self, at: int, number: int) -> None:
        assert at >= 0, "writes before the buffer"
        self.numbers[at] = int(number)


def _interpreted(kernel: Kernel, *values: Any) -> Any:
    buffers = [_Buffer(each) if isinstance(each, np.ndarray) else each for each in values]
    answer = kernel.plain(*buffers)
    for value, buffer in zip(values, buffers, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value.reshape(-1)[:] = buffer.numbers
    return answer


Kernel.__call__ = _interpreted


def test_one_input(content: bytes) -> None:
    """Decodes content; whatever comes out of it but rows is for atheris to report."""
    sent: list[tuple[int, bytes, bytes]] = []
    while len(content) > 2:
        sent.append((_NOW + len(sent), bytes(15) + content[:1], content[2 : 2 + content[1]]))
        content = content[2 + content[1] :]
    for _, _, payload in sent:
        try:
            list(reference.read(payload, {}))
        except FormatError as error:
            assert "\n" not in str(error), "an error is one line"
    decoder.Decoder().decode(datagrams(sent)).validate(full=True)


def main() -> None:
    """The arguments are libFuzzer's."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
