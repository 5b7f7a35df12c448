"""Fuzzes captures: frames into flows, exports and sFlow samples, or FormatError, nothing else. Needs atheris.

    python3 dev fuzz captures 1000000

Kernels are compiled and cannot be watched: they are run as they stand, over buffers that fail where one is left, and
watched. The first byte of an input chooses what the rest is: a capture, a frame of some link, or an sFlow datagram.
"""

import sys
from typing import Any

import atheris
import numpy as np

from khien.compiled import Kernel

with atheris.instrument_imports(include=["khien.flows"]):
    from khien.errors import FormatError
    from khien.flows import exports, packets, pcap, sflow

_LINKS = (0, 1, 9, 12, 51, 101, 104, 108, 113, 219, 228, 229, 276)


class _Buffer:
    """Numbers that are read and written only where they are."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = list(numbers)

    def __getitem__(self, at: int) -> int:
        assert at >= 0, "reads before the buffer"
        return self.numbers[at]

    def __setitem__(self, at: int, number: int) -> None:
        assert at >= 0, "writes before the buffer"
        self.numbers[at] = int(number)


def _interpreted(kernel: Kernel, *values: Any) -> Any:
    buffers = [_Buffer(each.reshape(-1).tolist()) if isinstance(each, np.ndarray) else each for each in values]
    answer = kernel.plain(*buffers)
    for value, buffer in zip(values, buffers, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value.reshape(-1)[:] = buffer.numbers
    return answer


Kernel.__call__ = _interpreted


def _room(rows: int) -> list[_Buffer]:
    return [_Buffer([0] * size * rows) for size in (1, 1, 16, 16, *[1] * 8)]


def _frame(link: int, content: bytes) -> None:
    columns = _room(1)
    packets.read_frame(_Buffer(content), 0, len(content), link, len(content), 0, *columns[2:9], columns[10])


def _datagram(content: bytes) -> None:
    exports.is_export(_Buffer(content), 0, len(content))
    rows = len(content) // sflow.LEAST_SAMPLE
    arrays = [_Buffer([0]), _Buffer(content), _Buffer([0]), _Buffer([len(content)]), _Buffer([0])]
    notes, agents = _Buffer([0] * sflow.NOTES), _Buffer([0] * 16)
    assert sflow.read_datagrams.plain(1, *arrays, 0, rows, *_room(rows), notes, agents) <= rows


def _capture(content: bytes) -> None:
    state = np.zeros(pcap.STATE + pcap.INTERFACE * pcap.MOST_INTERFACES, np.int64)
    try:
        kernel, used = pcap.reader_of(content, state)
    except FormatError:
        return
    rest = content[used:]
    room = [_Buffer([0] * (len(rest) // 16)) for _ in range(5)]
    kernel.plain(len(rest), _Buffer(rest), _Buffer(state.tolist()), *room, _Buffer([0, 0]))
    try:
        for seen in pcap.frames((content[:30], content[30:])):
            pcap.flows(seen)[0].validate(full=True)
            exports.exports(seen)
    except FormatError as error:
        assert "\n" not in str(error), "an error is one line"


def test_one_input(content: bytes) -> None:
    """Reads content as what its first byte says; whatever but a refusal comes out of it is for atheris to report."""
    choice, rest = content[0] if content else 0, content[1:]
    if choice < len(_LINKS):
        _frame(_LINKS[choice], rest)
    elif choice & 1:
        _capture(rest)
    else:
        _datagram(rest)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
