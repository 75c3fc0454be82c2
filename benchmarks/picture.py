"""Stacked bars as an SVG, drawn by hand."""

from html import escape
from pathlib import Path

COLOURS = ("#4e79a7", "#76b7b2", "#59a14f", "#edc948", "#f28e2b", "#e15759", "#b07aa1", "#9c755f", "#336791", "#bab0ac")
WIDTH, LEFT, RIGHT, BAR, GAP, LINE = 960, 80, 90, 44, 26, 24
LEGEND_COLUMNS = 3


def stacked_bars(path: Path, title: str, bars: dict[str, dict[str, float]]) -> None:
    """One bar for each of `bars`, its parts from left to right, all to one scale, with a legend below."""
    names = list(dict.fromkeys(name for parts in bars.values() for name in parts))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    scale = (WIDTH - LEFT - RIGHT) / max(sum(parts.values()) for parts in bars.values())
    drawn = [_text(LEFT, 28, title, "font-weight='bold'")]
    top = 48
    for label, parts in bars.items():
        drawn.append(_text(LEFT - 10, top + BAR / 2 + 5, label, "text-anchor='end'"))
        left = float(LEFT)
        for name, value in parts.items():
            width = value * scale
            drawn.append(_box(left, top, width, BAR, COLOURS[names.index(name) % len(COLOURS)], f"{name}: {value:.0f}"))
            if width > 30:
                drawn.append(
                    _text(left + width / 2, top + BAR / 2 + 5, f"{value:.0f}", "text-anchor='middle' fill='#fff'")
                )
            left += width
        drawn.append(_text(left + 8, top + BAR / 2 + 5, f"{sum(parts.values()):,.0f}"))
        top += BAR + GAP
    for place, name in enumerate(names):
        x = LEFT + place % LEGEND_COLUMNS * (WIDTH - LEFT) / LEGEND_COLUMNS
        y = top + place // LEGEND_COLUMNS * LINE
        drawn += [_box(x, y, 14, 14, colours[name], name), _text(x + 20, y + 12, name)]
    height = top + (len(names) + LEGEND_COLUMNS - 1) // LEGEND_COLUMNS * LINE + 10
    font = "font-family='sans-serif' font-size='14'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {font}>"
    ground = f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, ground, *drawn, "</svg>", ""]))


def _box(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    place = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height}'"
    return f"<rect {place} fill='{colour}'><title>{escape(title)}</title></rect>"


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(text)}</text>"
