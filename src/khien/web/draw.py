"""Pictures as SVG, made on the server: escaped, coloured by the style sheet, with a title and a description.

Whoever draws gives the words; a table with the same figures stands beside each picture on its page.
"""

from collections.abc import Sequence

from markupsafe import Markup

from khien import words
from khien.model import State
from khien.triage.life import MOVES
from khien.web.floods import Rates
from khien.web.views import GRADES, STATES, Bin

_FRAME = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{kind}-title {kind}-desc">'
    '<title id="{kind}-title">{title}</title><desc id="{kind}-desc">{desc}</desc>{inside}</svg>'
)


def _framed(kind: str, width: float, height: float, title: str, desc: str, inside: Sequence[Markup]) -> Markup:
    return _FRAME.format(kind=kind, width=width, height=height, title=title, desc=desc, inside=Markup("").join(inside))


def bars(bins: Sequence[Bin], title: str, desc: str) -> Markup:
    """Findings over time: a bar a bin, on a line."""
    most = max((each.findings for each in bins), default=0) or 1
    step = 600 / max(len(bins), 1)
    bar = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    drawn = [
        bar.format(n * step + step * 0.1, 118 - height, step * 0.8, height)
        for n, each in enumerate(bins)
        if (height := max(each.findings / most * 112, 3 if each.findings else 0))  # one finding is to be seen too
    ]
    return _framed("bars", 600, 120, title, desc, [*drawn, Markup('<path class="axis" d="M0 119h600"/>')])


def stack(rates: Rates, line: float | None, title: str, desc: str) -> Markup:
    """A flood over time: a bar a stretch, its vectors on top of each other; line: from where on it is a flood."""
    most = max(rates.most, line or 0) or 1
    step = 600 / max(len(rates.bars), 1)
    piece = Markup('<rect class="vector-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    drawn: list[Markup] = []
    for n, bar in enumerate(rates.bars):
        top = 199.0
        for number, packets in enumerate(bar.packets):
            height = packets / most * 192
            top -= height
            if packets:
                drawn.append(piece.format(number, n * step + step * 0.1, top, step * 0.8, height))
    drawn.append(Markup('<path class="axis" d="M0 199h600"/>'))
    if line is not None:
        drawn.append(Markup('<path class="line" d="M0 {:.1f}h600"/>').format(199 - line / most * 192))
    return _framed("rates", 600, 200, title, desc, drawn)


def dots(kind: str, marked: int, total: int, across: int, title: str, desc: str) -> Markup:
    """A dot for each of total, the first of them marked."""
    size = 600 / across
    rows = -(-total // across)
    path = Markup('<path class="{}" stroke-width="{:.1f}" d="{}"/>')
    centres = [f"M{(n % across + 0.5) * size:.1f} {(n // across + 0.5) * size:.1f}h0" for n in range(total)]
    drawn = [
        path.format(name, size * 0.7, "".join(part))
        for name, part in (("marked", centres[:marked]), ("rest", centres[marked:]))
        if part
    ]
    return _framed(kind, 600, round(rows * size, 1), title, desc, drawn)


def scale(score: float, title: str, desc: str) -> Markup:
    """A score between 0 and 1, with a tick where each grade begins."""
    tick = Markup('<path class="tick" d="M{:.1f} 8v16"/>')
    ticks = [tick.format(each.score * 600) for each in GRADES]
    line = Markup('<path class="axis" d="M0 16h600"/><path class="reached" d="M0 16h{:.1f}"/>').format(score * 600)
    here = Markup('<circle cx="{:.1f}" cy="16" r="10"/>').format(min(max(score * 600, 10), 590))
    return _framed("scale", 600, 32, title, desc, [line, *ticks, here])


def life(language: str, now: State, title: str, desc: str) -> Markup:
    """The moves a finding can make, drawn from life.MOVES: forth on the right side, back on the left.

    An act leads to one state whatever it starts from, so that the box an arrow ends in names the act too.
    """
    rows = {state: 24 + 52 * n for n, state in enumerate(STATES)}
    box = Markup(
        '<g class="{}"><rect x="96" y="{}" width="128" height="32" rx="4"/>'
        '<text x="160" y="{}" text-anchor="middle">{}</text></g>'
    )
    boxes: list[Markup] = []
    for state, y in rows.items():
        name = words.phrase(f"state-{state}", language)
        boxes.append(box.format("state now" if state == now else "state", y - 16, y + 5, name))
    moves = sorted(((met, to) for (met, _), to in MOVES.items()), key=lambda move: move[0] == now)  # ours on top
    arrows = [_arrow(rows[met], rows[to], met == now) for met, to in moves]
    return _framed("life", 320, 24 + 52 * len(rows) - 28, title, desc, [*arrows, *boxes])


def _arrow(begin: int, end: int, now: bool) -> Markup:
    """From the lower half of one box to the upper half of another, or the other way round going back."""
    forth = end > begin
    side, out = (224, 1) if forth else (96, -1)
    depth = side + out * (18 + abs(end - begin) * 0.38)
    begin, end = (begin + 8, end - 6) if forth else (begin - 8, end + 6)
    return Markup(
        '<path class="{}" d="M{side} {begin}C{depth:.0f} {begin} {depth:.0f} {end} {near} {end}"/>'
        '<path class="{}" d="M{side} {end}l{back} -4v8z"/>'
    ).format(
        "move now" if now else "move",
        "head now" if now else "head",
        side=side,
        begin=begin,
        end=end,
        depth=depth,
        near=side + out * 6,
        back=out * 8,
    )
