"""What can be read in a picture of matplotlib's, and where it stands."""
import itertools
import math


def _tick_labels(axis):
    """Those that are drawn: ticks outside of what is shown have labels, too."""
    low, high = sorted(axis.get_view_interval())
    slack = (high - low) * 1e-9
    return [tick.label1 for tick in axis.get_major_ticks() if low - slack <= tick.get_loc() <= high + slack]


def texts(figure):
    """All that is written in a figure that was drawn."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        if not axes.axison and not hasattr(axes, "zaxis"):  # with three dimensions the axes are drawn otherwise
            found += axes.texts
            continue
        for axis in (getattr(axes, name) for name in ("xaxis", "yaxis", "zaxis") if hasattr(axes, name)):
            found += [*_tick_labels(axis), axis.label, axis.get_offset_text()]
        found += [axes.title, axes._left_title, axes._right_title, *axes.texts]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def corners(text, renderer):
    """Of the rectangle that the text fills, which may be turned."""
    box, angle = text.get_window_extent(renderer), text.get_rotation()
    text.set_rotation(0)
    flat = text.get_window_extent(renderer)
    text.set_rotation(angle)
    x, y, turn = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, math.radians(angle)
    halves = [(sign_x * flat.width / 2, sign_y * flat.height / 2) for sign_x, sign_y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return [(x + across * math.cos(turn) - up * math.sin(turn), y + across * math.sin(turn) + up * math.cos(turn)) for across, up in halves]


def overlap(one, other):
    """Of two rectangles by their corners: no line along a side of one keeps them apart. Half a pixel is no overlap."""
    for (x0, y0), (x1, y1) in [(each[number], each[number + 1]) for each in (one, other) for number in (0, 1)]:
        length = math.hypot(x1 - x0, y1 - y0)
        a, b = ([((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length for x, y in each] for each in (one, other))
        if min(max(a), max(b)) - max(min(a), min(b)) <= 0.5:
            return False
    return True


def assert_readable(figure, size_min=8):
    """No text on another, none beyond the edge, none too small."""
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), corners(text, renderer)) for text in texts(figure)]
    width, height = figure.canvas.get_width_height()
    assert len(boxes) > 3
    for words, box in boxes:
        assert all(-0.5 <= x <= width + 0.5 and -0.5 <= y <= height + 0.5 for x, y in box), (words, box, (width, height))
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not overlap(a, b), f"{one!r} on {other!r}: {a} {b}"
    assert min(text.get_fontsize() for text in texts(figure)) >= size_min


def size_of_png(content):
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
