"""On which line a value of a TOML document stands: tomllib does not say it, and whoever mends the file must know.

Reads documents that tomllib accepted, and finds only the values it is asked for, so its memory is the question's size.
"""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]  # ("names", 3, "words", 0): keys of tables and indices of arrays

# Quantifiers are possessive: one pass over any text. Comments and blanks vanish, strings stay whole.
_TOKEN = re.compile(
    r'''(?P<string>"""(?:[^"\\]++|\\.|"{1,2}+(?!"))*+"{3,5}|\'\'\'(?:[^']++|'{1,2}+(?!'))*+'{3,5}'''
    r"""|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+')"""
    r"""|(?P<sign>[\[\]{}=,\n])|(?P<word>[^\s\[\]{}=,"'#]++)|\#[^\n]*+""",
    re.DOTALL,
)
_PART = re.compile(r"""([A-Za-z0-9_-]++)|"((?:[^"\\]++|\\.)*+)"|'([^']*+)'""")


class _Token(NamedTuple):
    kind: str  # string, sign, word
    text: str
    line: int


def lines(text: str, wanted: Collection[Path]) -> dict[Path, int]:
    """The line, counted from 1, of each wanted path; where it cannot be told (a key with escapes), of what holds it."""
    reader = _Reader(wanted)
    reader.read(_tokens(text))
    return {path: _nearest(reader.found, path) for path in wanted}


def _nearest(found: dict[Path, int], path: Path) -> int:
    while path not in found:
        path = path[:-1]
    return found[path]


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    behind = 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", behind, match.start())
        behind = match.start()
        if match.lastgroup:
            yield _Token(match.lastgroup, match[0], line)


class _Reader:
    """Follows the tokens through headers, keys and containers; notes the lines of paths that are wanted."""

    def __init__(self, wanted: Collection[Path]) -> None:
        self.wanted = set(wanted) - {()}  # and not found yet
        self.holding = {path[:n] for path in wanted for n in range(1, len(path) + 1)}
        self.deepest = max(map(len, wanted), default=0)
        self.found: dict[Path, int] = {(): 1}
        self.rows: dict[Path, int] = {}  # of each array of tables, how many headers were met

    def note(self, path: Path, line: int) -> None:
        if path in self.holding:
            self.wanted.discard(path)
            self.found.setdefault(path, line)

    def read(self, tokens: Iterator[_Token]) -> None:
        table: Path = ()
        for token in tokens:
            if not self.wanted:
                return
            if token.text == "[" and token.kind == "sign":
                table = self.header(tokens)
            elif token.text != "\n":
                self.value(self.key(table, token, tokens), tokens)

    def header(self, tokens: Iterator[_Token]) -> Path:
        """``[a.b]`` or ``[[a.b]]``, its first bracket read: the path of the table it opens."""
        brackets, written, line = 1, "", 1
        for token in tokens:
            if token.text == "\n" and token.kind == "sign":
                break
            line = token.line
            if token.kind != "sign":
                written += token.text
            elif token.text == "[":
                brackets = 2
        path: Path = ()
        parts = _parts(written)
        for part in parts[:-1]:
            path += (part,)
            self.note(path, line)
            if path in self.rows:
                path += (self.rows[path] - 1,)
        path += tuple(parts[-1:])
        self.note(path, line)
        if brackets == 2:
            self.rows[path] = self.rows.get(path, 0) + 1
            path += (self.rows[path] - 1,)
            self.note(path, line)
        return path

    def key(self, table: Path, token: _Token, tokens: Iterator[_Token]) -> Path:
        """A key, its first token read, up to the equals sign behind it."""
        written = token.text
        for each in tokens:
            if each.text == "=" and each.kind == "sign":
                break
            written += each.text
        path = table + tuple(_parts(written))
        for n in range(len(table) + 1, len(path) + 1):
            self.note(path[:n], token.line)
        return path

    def value(self, path: Path, tokens: Iterator[_Token]) -> None:
        """What stands behind the equals sign, with everything inside it."""
        inside: list[tuple[Path, int]] = []  # what is open: its path, and the element's index or -1 for a table
        for token in tokens:
            if token.kind == "sign" and token.text in "\n,]}":
                if token.text == "\n" and not inside:
                    return
                if token.text in ",]}" and inside:
                    outer, index = inside.pop()
                    if token.text == ",":
                        inside.append((outer, index if index < 0 else index + 1))
                continue
            here = path
            if inside:
                outer, index = inside[-1]
                if index < 0:
                    here = self.key(outer, token, tokens)
                    token = next(tokens, token)
                else:
                    here = (*outer, index) if len(outer) < self.deepest else outer
                    self.note(here, token.line)
            if token.kind == "sign":
                inside.append((here, 0 if token.text == "[" else -1))


def _parts(written: str) -> list[str]:
    return [bare or basic or literal for bare, basic, literal in _PART.findall(written)]
