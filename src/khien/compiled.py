"""Kernels: plain functions over numbers and pointers, compiled once per machine, loaded in a tenth of a second.

A kernel is ordinary Python that a test can run as it stands. ``@kernel`` compiles it with numba the first time it is
called on a machine and keeps the object code; later processes load that object with llvmlite alone, because importing
numba takes longer than scanning a million names. ``@inner`` marks the functions kernels call.

Kernels allocate nothing and raise nothing: they get pointers to arrays the caller made, and answer a number. The cache
is the one place where a pure part may touch the disk (a directory of the user's own, mode 0700; each file carries the
digest of its contents). Calls release the GIL, but those of bound kernels.
"""

import ctypes
import hashlib
import os
import stat
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from threading import Lock
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from khien.errors import ContractError

_DTYPES = {each: np.dtype(each) for each in ("u1", "u2", "u4", "u8", "i4", "i8", "f4", "f8")}
_OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "nogil": True}
_BARE = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # nobody calls through numba
_INNER = {**_BARE, "forceinline": True}  # left to itself, the compiler changes its mind with code elsewhere
_CTYPES: dict[str, Any] = {"i4": ctypes.c_int32, "i8": ctypes.c_int64, "f8": ctypes.c_double}


def cache_directory() -> Path:
    """Where kernels are kept: ``$KHIEN_CACHE``, else ``$XDG_CACHE_HOME/khien``, else ``~/.cache/khien``."""
    named = os.environ.get("KHIEN_CACHE")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "khien"
    except RuntimeError:  # nobody's home: nothing is kept
        return Path(os.devnull)


def inner(function: Any) -> Any:
    """Marks a function that kernels may call; it stays a plain function for everyone else."""
    function.inner = True
    return function


class Native(ABC):
    """What kernels call and the compiler writes itself."""

    @abstractmethod
    def native(self) -> Any:
        """As numba calls it."""


class Instruction(Native):
    """An instruction that some processors have: two numbers of 64 bits in, one out.

    symbol, feature: as LLVM calls it, and what has it; slow: processors that have it and take long, likewise.
    """

    def __init__(self, symbol: str, feature: str, slow: tuple[str, ...] = ()) -> None:
        self.symbol, self.feature, self.slow = symbol, feature, slow

    def there(self) -> bool:
        """Whether this processor has it, and is quick at it."""
        import llvmlite.binding as llvm

        return llvm.get_host_cpu_features().get(self.feature, False) and llvm.get_host_cpu_name() not in self.slow

    def __call__(self, *_numbers: int) -> int:
        """What is interpreted has no instructions."""
        raise ContractError(f"{self.symbol} is called from what is compiled only")

    def native(self) -> Any:
        from llvmlite import ir
        from numba.core import cgutils, types
        from numba.extending import intrinsic

        word = ir.IntType(64)

        def call(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.call(
                cgutils.get_or_insert_function(builder.module, ir.FunctionType(word, [word] * 2), self.symbol), values
            )

        return intrinsic(lambda _context, one, other: (types.int64(one, other), call))


class _Prefetch(Native):
    """``prefetch(array, at)``: an element will be read soon, so that its memory is on its way meanwhile. It need not be
    there: nothing is read."""

    def __init__(self) -> None:
        self.symbol, self.how = "llvm.prefetch.p0", (0, 3, 1)  # to be read, to be kept near, data

    def __call__(self, _array: Any, _at: int) -> None:
        """What is interpreted waits anyway."""

    def native(self) -> Any:
        from llvmlite import ir
        from numba.core import cgutils, types
        from numba.extending import intrinsic

        def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            array, at = values
            size = context.get_abi_sizeof(context.get_value_type(signature.args[0].dtype))
            place = cgutils.pointer_add(builder, array, builder.mul(at, ir.Constant(at.type, size)))
            byte, number = ir.PointerType(ir.IntType(8)), ir.IntType(32)
            asked = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            soon = cgutils.get_or_insert_function(builder.module, asked, self.symbol)
            builder.call(soon, [builder.bitcast(place, byte), *(ir.Constant(number, each) for each in self.how)])
            return context.get_dummy_value()

        return intrinsic(lambda _context, array, _at: (types.void(array, types.int64), call))


prefetch = _Prefetch()


def where(instruction: Instruction, instead_of: Any) -> Callable[[Any], Any]:
    """Marks a function that kernels call instead of another on a processor that has the instruction it needs; what is
    interpreted calls the other."""

    def decorate(function: Any) -> Any:
        instead_of.better = (instruction, function)
        return inner(function)

    return decorate


_LOADING = Lock()  # LLVM links for one thread at a time
_ENTRIES = count()  # numbers of what is linked for calls of bound kernels


def _is_inner(value: Any) -> bool:
    return isinstance(value, FunctionType) and hasattr(value, "inner")


def kernel(answer: str, *arguments: str) -> Callable[[Any], "Kernel"]:
    """Makes a kernel of a function; types are ``u1`` ... ``f8`` for numbers and ``u1*`` for pointers to arrays."""

    def decorate(function: Any) -> "Kernel":
        return Kernel(function, answer, arguments)

    return decorate


def _native_type(declared: str) -> Any:
    return ctypes.c_void_p if declared[-1] == "*" else _CTYPES[declared]


class Kernel:
    """A compiled function. ``plain`` is the same function, interpreted: the reference it is held to."""

    def __init__(self, function: Any, answer: str, arguments: tuple[str, ...]) -> None:
        self.plain = function
        self.answer = answer
        self.arguments = arguments
        self.__doc__ = function.__doc__
        self._wanted = tuple(_DTYPES[each[:-1]] if each[-1] == "*" else None for each in arguments)
        self._native: Any = None
        self._entries: dict[int, Any] = {}

    def __call__(self, *values: Any) -> Any:
        """Pointers are given as contiguous NumPy arrays of the declared type, or as integer addresses."""
        native = self._native or self.load()
        if len(values) != len(self._wanted):
            raise ContractError(
                f"kernel {self.plain.__name__} takes {len(self.arguments)} arguments, was given {len(values)}"
            )
        result, excinfo = _CTYPES[self.answer](), ctypes.c_void_p()
        status = native(
            ctypes.byref(result),
            ctypes.byref(excinfo),
            *[
                value if wanted is None or type(value) is int else self._address(value, wanted)
                for value, wanted in zip(values, self._wanted, strict=True)
            ],
        )
        if status != 0:
            raise ContractError(f"kernel {self.plain.__name__} failed with status {status}")
        return result.value

    def _address(self, value: Any, wanted: Any) -> int:
        if isinstance(value, int):
            return value
        if value.dtype != wanted or not value.flags.c_contiguous:
            raise ContractError(f"kernel {self.plain.__name__} takes {wanted}, was given {value.dtype}")
        return value.__array_interface__["data"][0]  # value.ctypes takes twice as long

    def load(self) -> Any:
        """Compiles the kernel, or loads it where it was kept; answers what is called."""
        if self._native is None:
            with _LOADING:
                if self._native is None:
                    self._native = self._load()
        return self._native

    def bound(self, *given: int) -> Callable[..., int]:
        """The kernel with its first arguments given, as numbers and addresses: what calls of a microsecond are made by.

        Further ones are numbers, addresses and bytes. Nothing is checked, and who binds keeps alive what lies at any
        address. A call costs a tenth of another's time and holds the GIL. ContractError: the kernel takes or answers
        what is neither i8 nor a pointer.
        """
        if self.answer != "i8" or not all(each == "i8" or each[-1] == "*" for each in self.arguments):
            raise ContractError(f"kernel {self.plain.__name__} takes or answers what is neither i8 nor a pointer")
        self.load()
        with _LOADING:
            if len(given) not in self._entries:
                self._entries[len(given)] = self._entry(len(given))
        return partial(self._entries[len(given)], (ctypes.c_int64 * len(given))(*given))

    def _entry(self, given: int) -> Any:
        """Compiles what takes so many arguments from an array and calls the kernel."""
        import llvmlite.binding as llvm
        from llvmlite import ir

        word, pointer = ir.IntType(64), ir.IntType(8).as_pointer()
        types = [pointer if each[-1] == "*" else word for each in self.arguments]
        module, name = ir.Module(), f"entry.{next(_ENTRIES)}"
        entry = ir.Function(module, ir.FunctionType(word, [word.as_pointer(), *types[given:]]), name)
        builder = ir.IRBuilder(entry.append_basic_block())
        answer, raised = builder.alloca(word), builder.alloca(pointer)
        array, *rest = entry.args
        values = [
            builder.inttoptr(value, kind) if kind is pointer else value
            for at, kind in enumerate(types[:given])
            for value in [builder.load(builder.gep(array, [word(at)]))]
        ]
        native = ir.FunctionType(ir.IntType(32), [answer.type, raised.type, *types]).as_pointer()
        place = ctypes.cast(self._native, ctypes.c_void_p).value
        # its status is not looked at: kernels raise nothing
        builder.call(builder.inttoptr(word(place), native), [answer, raised, *values, *rest])
        builder.ret(builder.load(answer))
        engine = _engine()
        engine.add_module(llvm.parse_assembly(str(module)))
        engine.finalize_object()
        prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, *map(_native_type, self.arguments[given:]))
        return prototype(engine.get_function_address(name))

    def _load(self) -> Any:
        types = [_native_type(each) for each in self.arguments]
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *types)
        return prototype(_link(self._object()))

    def _object(self) -> bytes:
        return kept(f"{self.plain.__name__}-{self._key()}.o", self._compile)

    def _key(self) -> str:
        """Whatever the object code depends on, as this process has it: code, constants, compilers, processor."""
        digest = hashlib.sha256(repr((self.plain.__name__, self.answer, self.arguments, _INNER, _toolchain())).encode())
        digest.update(_text(self.plain))
        for name, module in sorted(_modules(self.plain).items()):
            digest.update(name.encode())
            for label, value in sorted(vars(module).items()):
                if _is_inner(value):
                    digest.update(_text(value))
                elif isinstance(value, Native):
                    digest.update(f"{type(value).__name__} {label} {vars(value)}".encode())
                elif isinstance(value, int | float):
                    digest.update(f"{label}={value}".encode())
        return digest.hexdigest()[:32]

    def _compile(self) -> bytes:
        import numba  # the only import of it: a second and more
        from numba import types

        njit: Any = numba.njit

        def numba_type(declared: str) -> Any:
            scalar = {"u": "uint", "i": "int", "f": "float"}[declared[0]] + str(int(declared[1]) * 8)
            base = getattr(types, scalar)
            return types.CPointer(base) if declared[-1] == "*" else base

        made: dict[int, Any] = {}

        def native(function: Any) -> Any:
            """The function again, its calls to inner functions pointing at their compiled forms."""
            if isinstance(function, Native):
                return function.native()
            instruction, better = getattr(function, "better", (None, function))
            if instruction and instruction.there():
                return native(better)
            if id(function) not in made:
                names = {
                    k: (native(v) if _is_inner(v) or isinstance(v, Native) else v)
                    for k, v in function.__globals__.items()
                    if k in function.__code__.co_names
                }
                copy = FunctionType(
                    function.__code__,
                    {**names, "__builtins__": __builtins__, "__name__": function.__module__},
                    function.__name__,
                )
                made[id(function)] = copy if function is self.plain else njit(**_INNER)(copy)
            return made[id(function)]

        signature = numba_type(self.answer)(*map(numba_type, self.arguments))
        compiled = njit(signature, **_BARE)(native(self.plain))
        result = compiled.overloads[signature.args]
        symbol = result.fndesc.llvm_func_name.encode()
        return symbol + b"\0" + result.library._get_compiled_object()


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """What make makes, kept on this machine under a name that says all it depends on."""
    path = cache_directory() / name
    body = _read_kept(path)
    if body is None:
        body = make()
        _keep(path, body)
    return body


def warm(*kernels: Kernel) -> None:
    """Compiles and keeps these kernels if they are not kept yet."""
    for each in kernels:
        each.load()


@cache
def _toolchain() -> tuple[str, ...]:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features().flatten()
    return sys.implementation.cache_tag or "", version("numba"), version("llvmlite"), llvm.get_host_cpu_name(), features


def _text(function: Any) -> bytes:
    """A function as text that is the same in each process."""
    code = function.__code__
    return repr((function.__qualname__, code.co_code, code.co_consts, code.co_names, code.co_varnames)).encode()


def _modules(function: Any) -> dict[str, Any]:
    """The modules that end up in the kernel: its own, and those of what it calls or takes constants from."""
    seen: dict[str, Any] = {}
    left = [sys.modules[function.__module__]]
    while left:
        module = left.pop()
        if module.__name__ not in seen:
            seen[module.__name__] = module
            for value in vars(module).values():
                if _is_inner(value):
                    left.append(sys.modules[value.__module__])
                elif isinstance(value, ModuleType) and value.__name__.startswith("khien."):
                    left.append(value)
    return seen


@cache
def _engine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault")
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _link(kept: bytes) -> int:
    import llvmlite.binding as llvm

    symbol, _, code = kept.partition(b"\0")
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine.get_function_address(symbol.decode())


def _read_kept(path: Path) -> bytes | None:
    """What was kept, if it is whole and nobody else could have written it."""
    try:
        owner = path.parent.stat()
        if owner.st_uid != os.getuid() or owner.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        contents = path.read_bytes()
    except OSError:
        return None
    digest, body = contents[:32], contents[32:]
    return body if hashlib.sha256(body).digest() == digest else None


def _keep(path: Path, body: bytes) -> None:
    """Best effort: without a place to write, kernels are compiled anew in each process."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).digest() + body)
        os.replace(file.name, path)
    except OSError:
        pass
