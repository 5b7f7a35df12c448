"""Sockets that receive in a thread of their own: whatever happens behind it, the kernel's buffer is emptied in time.

A datagram costs 3.3 microseconds with recv_into, 4.4 with recvmsg_into, and 2 with recvmmsg(2) after a short pause:
hundreds come with one call, which holds no lock of the interpreter. The kernel says when each came (SO_TIMESTAMPNS).
"""

import ctypes
import errno
import logging
import os
import select
import socket
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from queue import Empty, LifoQueue, Queue
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from khien.errors import ConfigError, UnavailableError
from khien.flows.records import MAPPED
from khien.sources.flows.block import CONTROL, MESSAGE, NAME, NETWORK, Block, pack

Network = IPv4Network | IPv6Network
Array = np.ndarray[Any, Any]

_BATCH = 256  # datagrams a call may bring
_LONGEST = 1 << 16  # octets of a datagram
_STRIDE = _LONGEST + 1088  # not a power of two: the beginnings of all slots would share a few sets of the cache
_BLOCKS = 64  # a second of the fastest there is; those that never wait are never touched, and take no memory
_PAUSE = 0.002  # seconds to let datagrams gather
_GLANCE = 0.05  # seconds after which a waiting thread looks whether it is over
_HOLD = 0.1  # seconds a block waits to be filled
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SO_MEMINFO = 33, 35, 55  # asm-generic/socket.h; the socket module has no names
_DROPS = 8  # SK_MEMINFO_DROPS, linux/sock_diag.h
_NAME_LENGTH, _CONTROL_LENGTH = 1, 5  # words of struct mmsghdr that a call overwrites

_log = logging.getLogger(__name__)


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Receiver:
    """Listens at addresses while the block runs; takes what comes from networks, from anywhere without any.

    buffer: octets that the kernel is asked to keep for each address.
    """

    def __init__(self, addresses: Sequence[Address], buffer: int, networks: Sequence[Network]) -> None:
        self._networks = _masks(networks)
        self._slots = _Slots()
        self._free = LifoQueue[Block]()  # the one just given back is still in the cache
        self._full = Queue[Block]()
        self._over = Event()
        self._fault: OSError | None = None
        self._drops: dict[int, int] = {}  # by file descriptor, as the kernel counts
        self._sockets: list[socket.socket] = []
        pack.load()  # before anybody sends: what comes while it is compiled would be lost
        try:
            for address in addresses:
                self._sockets.append(_listening(address, buffer))
        except BaseException:
            self._close()
            raise
        self._thread = Thread(target=self._run, name="flows", daemon=True)

    def __enter__(self) -> "Receiver":
        for _ in range(_BLOCKS):
            self._free.put(Block.make())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._close()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens: the port that was found, where any was asked for."""
        return tuple(Address(*each.getsockname()[:2]) for each in self._sockets)

    def take(self, seconds: float) -> Block | None:
        """The next block, to be given back; None when there is none within so many seconds.

        UnavailableError: the network has gone.
        """
        try:
            return self._full.get(timeout=seconds)
        except Empty:
            if self._fault is not None:
                raise UnavailableError(f"nothing can be received: {self._fault.strerror}") from self._fault
            return None

    def give_back(self, block: Block) -> None:
        """A block that is done with, to be filled again."""
        block.clear()
        self._free.put(block)

    def dropped(self) -> int:
        """Datagrams that the kernel had no room for since this was asked before."""
        more = 0
        for each in self._sockets:
            told = self._drops.get(each.fileno(), 0)
            counts = np.frombuffer(each.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_DROPS + 1)), np.uint32)
            self._drops[each.fileno()] = now = int(counts[_DROPS])
            more += (now - told) & 0xFFFFFFFF
        return more

    def _close(self) -> None:
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        try:
            self._receive()
        except OSError as error:
            self._fault = error

    def _receive(self) -> None:
        """Fills blocks and hands them on, whole or after a moment, until it is over."""
        waiting = select.poll()
        for each in self._sockets:
            waiting.register(each, select.POLLIN)
        block, since = self._empty_block(), monotonic()
        while block is not None:
            ready = waiting.poll(1000 * _GLANCE)
            if block.touched and monotonic() - since >= _HOLD:
                block = self._hand_on(block)
            busy = False
            for file, _ in ready:
                if block is not None and not block.touched:
                    since = monotonic()
                count = self._slots.receive(file)
                busy = busy or count == _BATCH
                block = self._keep(count, block)
            if self._over.wait(0 if busy else _PAUSE):
                return

    def _keep(self, count: int, block: Block | None) -> Block | None:
        """Moves what was received into a block and those after it."""
        done = 0
        while block is not None:
            done = self._slots.move(done, count, self._networks, block)
            if done == count:
                break
            block = self._hand_on(block)
        return block

    def _hand_on(self, block: Block) -> Block | None:
        self._full.put(block)
        return self._empty_block()

    def _empty_block(self) -> Block | None:
        """Waits for one; meanwhile the kernel keeps what comes, and counts what it cannot. None: it is over."""
        while not self._over.is_set():
            try:
                return self._free.get(timeout=_GLANCE)
            except Empty:
                continue
        return None


class _Slots:
    """Room that recvmmsg(2) receives into."""

    def __init__(self) -> None:
        self._slots = np.empty(_BATCH * _STRIDE, np.uint8)  # only what is written to takes memory
        self._names = np.zeros(_BATCH * NAME, np.uint8)
        self._controls = np.zeros(_BATCH * CONTROL, np.int64)
        self._vectors = np.array([(self._slots.ctypes.data + n * _STRIDE, _LONGEST) for n in range(_BATCH)], np.int64)
        self._messages = np.zeros((_BATCH, MESSAGE), np.int64)
        for n, message in enumerate(self._messages):
            name, vector = self._names.ctypes.data + n * NAME, self._vectors.ctypes.data + 16 * n
            message[:6] = name, NAME, vector, 1, self._controls.ctypes.data + 8 * CONTROL * n, 8 * CONTROL
        self._call: Any = ctypes.CDLL(None, use_errno=True).recvmmsg

    def receive(self, file: int) -> int:
        """Takes what a socket has, _BATCH datagrams at most; answers how many. OSError."""
        self._messages[:, _NAME_LENGTH] = NAME
        self._messages[:, _CONTROL_LENGTH] = 8 * CONTROL
        count = self._call(file, ctypes.c_void_p(self._messages.ctypes.data), _BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            if number not in (errno.EAGAIN, errno.EINTR):
                raise OSError(number, os.strerror(number))
        return max(count, 0)

    def move(self, first: int, count: int, networks: Array, block: Block) -> int:
        """Moves received datagrams into a block; answers the first it has no room for, or count."""
        return pack(
            self._messages, first, count, self._slots, _STRIDE, self._names, self._controls, networks,
            networks.size // NETWORK, *block,
        )  # fmt: skip


def _masks(networks: Sequence[Network]) -> Array:
    """Address and mask of each, 16 octets both, IPv4 mapped into IPv6."""
    texts = [
        (MAPPED + each.network_address.packed + b"\xff" * 12 + each.netmask.packed)
        if each.version == 4
        else each.network_address.packed + each.netmask.packed
        for each in networks
    ]
    return np.array([*b"".join(texts)], np.uint8)


def _listening(address: Address, buffer: int) -> socket.socket:
    """A bound socket. ConfigError: such an address cannot be; UnavailableError: it cannot be had now."""
    if sys.platform != "linux":
        raise UnavailableError(f"{address}: flows are received on Linux only, files of them are read anywhere")
    made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # [::] and 0.0.0.0 beside each other
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        _ask_for_room(made, address, buffer)
        made.bind(address)
    except OSError as error:
        made.close()
        raise _refusal(address, error) from error
    return made


def _ask_for_room(asking: socket.socket, address: Address, buffer: int) -> None:
    """Who may (CAP_NET_ADMIN) gets what is asked for, others what the system allows; says when that is less."""
    try:
        asking.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    except PermissionError:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    got = asking.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it for its own needs
    if got < buffer:
        _log.warning(
            "%s: the kernel keeps %d octets, not %d: sysctl net.core.rmem_max=%d gives it the room",
            address, got, buffer, buffer,
        )  # fmt: skip


def _refusal(address: Address, error: OSError) -> ConfigError | UnavailableError:
    if error.errno == errno.EADDRINUSE:
        return UnavailableError(f"{address}: another program listens there: stop it, or choose another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return UnavailableError(f"{address}: no interface of this machine has this address: give one that it has")
    if isinstance(error, PermissionError):
        return ConfigError(f"{address}: ports below 1024 need CAP_NET_BIND_SERVICE: choose one above")
    return ConfigError(f"{address}: cannot be listened at: {error.strerror}")
