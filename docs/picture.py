"""Draws what the code says of itself: the rooms of Khiên and who calls whom, and the life of a finding."""

import tomllib
from html import escape
from pathlib import Path
from typing import NamedTuple

import grimp

from khien.web import draw

ROOT = Path(__file__).resolve().parents[1]
HEIGHT, GAP, ROW, MARGIN = 44, 18, 88, 80  # of a box, between boxes, from row to row, at the sides; pixels
STYLE = """
  :root { --ink: #1c2733; --line: #5b6b7c; --box: #eef3f8; --edge: #9fb0c2 }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --line: #8fa3b8; --box: #1e2a36; --edge: #53677c } }
  text { font: 14px system-ui, sans-serif; fill: var(--ink); text-anchor: middle }
  .lines { font-size: 11px; fill: var(--line) }
  rect { fill: var(--box); stroke: var(--line) }
  path { fill: none; stroke: var(--edge); stroke-width: 1.4 }
"""


LIFE_STYLE = """
  .life text { font: 13px system-ui, sans-serif; fill: #1c2733 }
  .life rect { fill: #eef3f8; stroke: #5b6b7c }
  .life .move { fill: none; stroke: #5b6b7c }
  .life .head { fill: #5b6b7c }
"""


def life() -> str:
    """An SVG of life.MOVES: an arrow leads from a state to one that follows."""
    drawn = str(draw.life("en", "new", "The life of a finding", "Each state, and those that may follow it"))
    head, inside = drawn.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg" width="480"><style>{LIFE_STYLE}</style>{inside}\n'


class Room(NamedTuple):
    """A box: its name, its lines of code, and where its middle is (pixels)."""

    name: str
    lines: int
    x: float
    y: float
    width: float


def architecture() -> str:
    """An SVG. An arrow means `imports`; one that others already imply is left out."""
    rows = layers()
    edges = reduced(imports())
    rooms = {room.name: room for room in place(rows)}
    width = max(room.x + room.width / 2 for room in rooms.values()) + MARGIN
    height = len(rows) * ROW
    drawn = [arrow(rooms[a], rooms[b], width / 2) for a in rooms for b in rooms if b in edges.get(a, ())]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="The rooms of Khiên in layers; each imports only rooms below it"><style>{STYLE}</style>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" style="fill:var(--edge);stroke:none"/></marker></defs>\n'
        + "\n".join(drawn + [box(room) for room in rooms.values()])
        + "\n</svg>\n"
    )


def layers() -> list[list[str]]:
    """The rows of the layers contract, top first, with the rooms that are built."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared: list[str] = config["tool"]["importlinter"]["contracts"][0]["layers"]
    names = [[name.strip(" ()") for name in row.split("|")] for row in declared]
    built = [[name for name in row if files(name)] for row in names]
    return [row for row in built if row]


def files(room: str) -> list[Path]:
    package = ROOT / "src" / "khien"
    alone = package / f"{room}.py"
    return [alone] if alone.exists() else sorted((package / room).rglob("*.py"))


def imports() -> dict[str, set[str]]:
    """Room to the rooms it imports anything from."""
    found: dict[str, set[str]] = {}
    graph = grimp.build_graph("khien", cache_dir=None)
    for module in graph.modules - {"khien"}:
        room = module.split(".")[1]
        for other in graph.find_modules_directly_imported_by(module) - {"khien"}:
            found.setdefault(room, set()).add(other.split(".")[1])
    return {room: others - {room} for room, others in found.items()}


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph without the edges that longer ways imply; it has no cycles, or import-linter would say so."""

    def reachable(room: str) -> set[str]:
        below = edges.get(room, set())
        return below.union(*map(reachable, below))

    return {room: below - set().union(*map(reachable, below)) for room, below in edges.items()}


def place(rows: list[list[str]]) -> list[Room]:
    widths = {name: 36 + 8.5 * len(name) for row in rows for name in row}
    spans = [sum(widths[name] + GAP for name in row) - GAP for row in rows]
    widest = max(spans)
    rooms: list[Room] = []
    for number, (row, span) in enumerate(zip(rows, spans, strict=True)):
        left = MARGIN + (widest - span) / 2
        for name in row:
            lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files(name))
            rooms.append(Room(name, lines, left + widths[name] / 2, number * ROW + ROW / 2, widths[name]))
            left += widths[name] + GAP
    return rooms


def arrow(above: Room, below: Room, middle: float) -> str:
    """A curve that swings outwards the more rows it passes, so that it does not hide behind them."""
    start, end = above.y + HEIGHT / 2, below.y - HEIGHT / 2
    passed = (below.y - above.y) / ROW - 1
    swing = (60 + 30 * passed) * (passed > 0) * (1 if above.x + below.x >= 2 * middle else -1)
    bend = (end - start) / 2
    return (
        f'<path marker-end="url(#tip)" d="M{above.x:.0f} {start:.0f}C{above.x + swing:.0f} {start + bend:.0f} '
        f'{below.x + swing:.0f} {end - bend:.0f} {below.x:.0f} {end:.0f}"/>'
    )


def box(room: Room) -> str:
    left, top = room.x - room.width / 2, room.y - HEIGHT / 2
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{room.width:.0f}" height="{HEIGHT}" rx="7"/>'
        f'<text x="{room.x:.0f}" y="{room.y - 2:.0f}">{escape(room.name)}</text>'
        f'<text class="lines" x="{room.x:.0f}" y="{room.y + 14:.0f}">{room.lines} lines</text>'
    )
