"""Line charts as SVG files, in the colours of ewc4j's reports."""
import html
import math

PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b4b8a", "#444444", "#8c564b", "#7f7f7f"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 380, 60, 20, 46
PLOT = 400  # width of the plot; the legend stands beside it


def ticks(low, high):
    """Round values from low to high, five or so."""
    if high <= low:
        high = low + 1
    rough = (high - low) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * nice for nice in (1, 2, 5, 10) if size * nice >= rough)
    first = math.floor(low / step)
    return [round(k * step, 10) for k in range(first, math.ceil(high / step) + 1)]


def draw(path, title, x_label, y_label, lines):
    """lines: [(name, [(x, y, label)])]; a line of one point is a mark."""
    points = [point for _, line in lines for point in line]
    xs, ys = ticks(*span(points, 0)), ticks(*span(points, 1))

    def x(value):
        return LEFT + (value - xs[0]) / (xs[-1] - xs[0]) * PLOT

    def y(value):
        return HEIGHT - BOTTOM - (value - ys[0]) / (ys[-1] - ys[0]) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f"<title>{html.escape(title)}</title>", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for value in ys:
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + PLOT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in xs:
        parts.append(f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    for index, (name, line) in enumerate(lines):
        colour = PALETTE[index % len(PALETTE)]
        if len(line) > 1:
            path_points = " ".join(f"{x(px):.1f},{y(py):.1f}" for px, py, _ in line)
            parts.append(f'<polyline points="{path_points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for px, py, label in line:
            parts.append(f'<circle cx="{x(px):.1f}" cy="{y(py):.1f}" r="4" fill="{colour}"><title>{html.escape(label)}</title></circle>')
        height = TOP + 8 + 18 * index
        parts.append(f'<circle cx="{LEFT + PLOT + 18}" cy="{height}" r="4" fill="{colour}"/>'
                     f'<text x="{LEFT + PLOT + 28}" y="{height + 4}">{html.escape(name)}</text>')
    parts.append(f'<text x="{LEFT + PLOT / 2}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(x_label)}</text>')
    middle = (HEIGHT - BOTTOM + TOP) / 2
    parts.append(f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{html.escape(y_label)}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def span(points, axis):
    values = [point[axis] for point in points]
    return min(values), max(values)
