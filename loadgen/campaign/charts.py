"""Charts in SVG that need no script and follow the reader's light or dark theme: bars and dots in rows."""

import math
from html import escape

WIDTH, LEFT, RIGHT = 820, 190, 120
ROW, HEAD = 22, 58
STYLE = """
  svg { background: #fff; font-family: system-ui, sans-serif; font-size: 12px }
  text { fill: #1f2328 } .quiet { fill: #59636e } .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 }
  .grid { stroke: #d1d9e0 } .range { stroke: #1f2328; stroke-width: 1.5 } .span { stroke: #818b98; stroke-width: 2 }
  .own { fill: #0969da } .other { fill: #afb8c1 }
  .s0 { fill: #1a7f37 } .s1 { fill: #bc4c00 } .s2 { fill: #8250df } .s3 { fill: #0969da } .s4 { fill: #818b98 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 } text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .grid { stroke: #3d444d } .range { stroke: #f0f6fc } .own { fill: #4493f8 } .other { fill: #656c76 }
    .s0 { fill: #3fb950 } .s1 { fill: #f0883e } .s2 { fill: #ab7df8 } .s3 { fill: #4493f8 }
  }
"""


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def nice_step(most):
    """A step of 1, 2 or 5 times a power of ten that makes four to eight of `most`."""
    power = 10 ** math.floor(math.log10(most / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if most / (power * factor) <= 8)


class Axis:
    """From values to the width of the chart."""

    def __init__(self, values, is_log, most=None):
        self.is_log = is_log
        if is_log:
            self.low = 10 ** math.floor(math.log10(min(values)))
            self.high = 10 ** math.ceil(math.log10(max(values) * 1.01))
            decades = range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)
            self.ticks = [10.0**decade for decade in decades]
        else:
            self.low, self.high = 0, most or max(values)
            step = nice_step(self.high)
            self.ticks = [step * number for number in range(int(self.high / step + 1e-9) + 1)]

    def __call__(self, value):
        if self.is_log:
            share = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            share = value / self.high
        return LEFT + share * (WIDTH - LEFT - RIGHT)


class Panel:
    """Rows under one axis.

    A row of bars is (label, median, lowest, highest, words, whether it is ours); a row of dots (label, {series: value},
    whether it is ours). `words` says what stands behind a row of dots.
    """

    def __init__(self, heading, rows, shown, is_log=False, words=None):
        self.heading, self.rows, self.shown, self.is_log, self.words = heading, rows, shown, is_log, words
        self.head = 24 if heading else 6

    def height(self):
        return self.head + len(self.rows) * ROW + 26

    def draw(self, top, names):
        values = [value for row in self.rows for value in (row[1].values() if self.is_dots() else row[1:4])]
        axis = Axis(values, self.is_log)
        y0 = top + self.head
        y1 = y0 + len(self.rows) * ROW
        out = [text(16, top + 12, self.heading, "head")] if self.heading else []
        for tick in axis.ticks:
            x = axis(tick)
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y0}" y2="{y1}" class="grid"/>')
            out.append(text(x, y1 + 14, self.shown(tick), "quiet", "middle"))
        for place, row in enumerate(self.rows):
            y = y0 + place * ROW
            out.append(text(LEFT - 8, y + 15, row[0], "head" if row[-1] else "", "end"))
            out += self.dots(row, y, axis, names) if self.is_dots() else self.bar(row, y, axis)
        return out

    def is_dots(self):
        return isinstance(self.rows[0][1], dict)

    def bar(self, row, y, axis):
        _, value, low, high, words, is_own = row
        kind = "own" if is_own else "other"
        line = f'<line x1="{axis(low):.1f}" x2="{axis(high):.1f}" y1="{y + 11}" y2="{y + 11}" class="range"/>'
        return [
            f'<rect x="{LEFT}" y="{y + 4}" width="{max(1, axis(value) - LEFT):.1f}" height="{ROW - 8}" class="{kind}"/>',
            *([line] if high > low else []),
            text(max(axis(value), axis(high)) + 6, y + 15, words),
        ]

    def dots(self, row, y, axis, names):
        points = [(names.index(name), axis(value)) for name, value in row[1].items()]
        xs = [x for _, x in points]
        out = [f'<line x1="{min(xs):.1f}" x2="{max(xs):.1f}" y1="{y + 11}" y2="{y + 11}" class="span"/>']
        out += [f'<circle cx="{x:.1f}" cy="{y + 11}" r="4.5" class="s{number}"/>' for number, x in points]
        return out + ([text(max(xs) + 10, y + 15, self.words(row[1]))] if self.words else [])


def chart(title, subtitle, panels, names=()):
    """The whole picture, or nothing without rows. `names` are those of the series of dots, in the order of their colours."""
    panels = [panel for panel in panels if panel.rows]
    if not panels:
        return ""
    bottom = HEAD + (22 if names else 0)
    out = [text(16, 26, title, "title"), text(16, 45, subtitle, "quiet")]
    x = 16
    for number, name in enumerate(names):
        out.append(f'<circle cx="{x + 5}" cy="{HEAD + 5}" r="4.5" class="s{number}"/>')
        out.append(text(x + 15, HEAD + 9, name))
        x += 40 + 7 * len(name)
    for panel in panels:
        out += panel.draw(bottom, list(names))
        bottom += panel.height() + 10
    frame = f'viewBox="0 0 {WIDTH} {bottom}" width="{WIDTH}" height="{bottom}" role="img"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", *out, "</svg>"]) + "\n"
