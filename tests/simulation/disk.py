"""What one process sees of a medium: the Disk that the store is given."""

from contextlib import suppress
from posixpath import dirname
from typing import Any
from weakref import WeakValueDictionary

import apsw
import pyarrow as pa
import pyarrow.fs as fs

from tests.simulation import vfs
from tests.simulation.medium import FOLDER, Killed, Medium, Node, Write


class Simulated:
    """A disk for one process, until it is killed: from then on it refuses every call, so that nothing is tidied up.

    scratch: a real folder for SQLite's locks, of all processes since the medium last had power.
    """

    connection: type[apsw.Connection] = apsw.Connection

    def __init__(self, medium: Medium, scratch: str) -> None:
        self.medium = medium
        self.scratch = scratch
        self._alive = True
        self._connections: list[apsw.Connection] = []

    def expect_alive(self) -> None:
        if not self._alive or self.medium.halted:
            raise Killed("the process is gone")

    def die(self) -> None:
        """The process is gone: what it had open is let go, and writes nothing on its way out."""
        self._alive = False
        for connection in self._connections:
            with suppress(Killed, apsw.Error):
                connection.close(True)

    def write(self, path: str, content: bytes) -> None:
        node = self._opened(path)
        if node.content:
            self.medium.cut(path, node, 0)
        self.medium.write(path, node, Write(0, content))

    def read(self, path: str) -> bytes:
        self.expect_alive()
        return bytes(self.medium.node(path).content)

    def sync(self, path: str) -> None:
        self.expect_alive()
        self.medium.sync(path, self.medium.node(path), forgetful=True)

    def sync_folder(self, path: str) -> None:
        self.expect_alive()
        self.medium.sync_folder(path)

    def rename(self, old: str, new: str) -> None:
        self.expect_alive()
        self.medium.enter((old, None), (new, self.medium.node(old)))

    def remove(self, path: str) -> None:
        self.expect_alive()
        if path in self.medium.entries:
            self.medium.enter((path, None))

    def make_folder(self, path: str) -> None:
        self.expect_alive()
        if path and path not in self.medium.entries:
            self.make_folder(dirname(path))
            self.medium.enter((path, FOLDER))

    def list(self, path: str) -> list[str]:
        self.expect_alive()
        return self.medium.files(path)

    def size(self, path: str) -> int:
        self.expect_alive()
        return len(self.medium.node(path).content)

    def filesystem(self) -> fs.FileSystem:
        self.expect_alive()
        name = str(id(self.medium))
        _media[name] = self.medium
        return fs.SubTreeFileSystem(name, _FILES)

    def connect(self, path: str) -> apsw.Connection:
        self._opened(path)
        connection = vfs.connect(self, path)
        connection.pragma("temp_store", "memory")
        self._connections.append(connection)
        return connection

    def free(self) -> int:
        self.expect_alive()
        return self.medium.free()

    def _opened(self, path: str) -> Node:
        """A file to write to, made where there is none."""
        self.expect_alive()
        self.medium.expect_writable(path)
        if path not in self.medium.entries:
            self.medium.enter((path, Node()))
        return self.medium.node(path)


_media: WeakValueDictionary[str, Medium] = WeakValueDictionary()


class _Readable(fs.FileSystemHandler):
    """The files of all media for Arrow, ``MEDIUM/PATH``: nothing fails or passes time here.

    Arrow reads from threads of its own, and lets go of what it was given when it likes, also when Python has ended.
    So there is one of these for ever, and the bytes it gives are Arrow's.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Readable)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def get_type_name(self) -> str:
        return "simulated"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return [self._about(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        return self._refuse(selector)

    def open_input_file(self, path: str) -> pa.NativeFile:
        sink = pa.BufferOutputStream()
        sink.write(self._node(path).content)
        return pa.BufferReader(sink.getvalue())

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def _about(self, path: str) -> fs.FileInfo:
        try:
            return fs.FileInfo(path, fs.FileType.File, size=len(self._node(path).content))
        except OSError:
            return fs.FileInfo(path, fs.FileType.NotFound)

    def _node(self, path: str) -> Node:
        medium, _, path = path.partition("/")
        return _media[medium].node(path)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the store writes through its Disk alone")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse


_FILES = fs.PyFileSystem(_Readable())
