"""Draws the dashboards of examples/complete, from what a real Prometheus answers while two model servers are under load and one is rolled out.

scripts/dashboard-pictures runs it, with the directory for the pictures. What is drawn is a rendering, and not Grafana: lines, a legend, and two axes.
"""

import html
import math
import sys
import time
from pathlib import Path

import live

STEP = 2
RATE = "20s"
# Seconds after the beginning, and what happens then: shares of versions 1 and 3 of the variant main.
ROLLOUT = [(0, {"main-1": 10000}), (60, {"main-1": 9000, "main-3": 1000}), (120, {"main-1": 5000, "main-3": 5000}), (180, {"main-3": 10000})]
ENDS = 240
VARIANTS = {"main": {"traffic": 10000}, "next": {"traffic": 0, "shadow": 2500}}

WIDTH, HEIGHT, GAP, TOP, PLOT_LEFT, PLOT_TOP, LEGEND = 560, 220, 16, 64, 64, 34, 34
COLORS = ["#3274d9", "#e0752d", "#299c46", "#a352cc", "#d9a40f", "#d44a3a", "#37a2a2", "#7f7f7f"]


def number(value, unit):
    """As an axis says it."""
    if value == 0:
        return "0"
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "s":
        for size, name in [(60, "min"), (1, "s"), (1e-3, "ms")]:
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs"
    return f"{value:.3g}" + {"reqps": " req/s"}.get(unit, "")


def ceiling(value):
    """The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below."""
    if value <= 0:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * 0.999999)


def text(x, y, said, size=11, anchor="start", fill="#c7d0d9", weight="normal"):
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">{html.escape(said)}</text>'


def legend_of(template, labels):
    for label, value in labels.items():
        template = template.replace(f"{{{{{label}}}}}", value)
    return template


def lines_of(series, left, top, width, height, begin, end, most):
    """A line for each run of numbers; where there is none, there is a gap."""
    runs, run = [], []
    for at, value in series + [(end, math.nan)]:
        if math.isfinite(value):
            run.append(f"{left + (at - begin) / (end - begin) * width:.1f},{top + height - min(value / most, 1) * height:.1f}")
        elif run:
            runs.append(run)
            run = []
    return [" ".join(run if len(run) > 1 else run * 2) for run in runs]


def draw_panel(panel, answers, begin, end, x, y):
    """answers: name of each line, and its numbers; None where nobody could be asked."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    left, top, width, height = x + PLOT_LEFT, y + PLOT_TOP, WIDTH - PLOT_LEFT - 14, HEIGHT - PLOT_TOP - LEGEND - 16
    drawn = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="3" fill="#181b1f" stroke="#2c3235"/>', text(x + 12, y + 20, panel["title"], 13, weight="bold")]
    if answers is None:
        return drawn + [text(x + WIDTH / 2, y + HEIGHT / 2, "asks CloudWatch, which needs an account of AWS", 12, "middle", "#8e8e8e")]
    most = ceiling(max([value for _, series in answers for _, value in series if math.isfinite(value)], default=0))
    for part in range(3):
        level = top + height * (1 - part / 2)
        drawn.append(f'<line x1="{left}" x2="{left + width}" y1="{level:g}" y2="{level:g}" stroke="#2c3235"/>')
        drawn.append(text(left - 6, level + 4, number(most * part / 2, unit), 10, "end", "#8e8e8e"))
    for part in range(5):
        drawn.append(text(left + width * part / 4, top + height + 14, f"{(end - begin) * part / 4 / 60:.2g} min", 10, "end" if part == 4 else "middle", "#8e8e8e"))
    place, cut = x + 12, None
    for index, (name, series) in enumerate(answers):
        color = COLORS[index % len(COLORS)]
        drawn += [f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>' for points in lines_of(series, left, top, width, height, begin, end, most)]
        takes = 17 + 6.4 * len(name) + 16
        # A legend is one line: Grafana would scroll it.
        if place + takes > x + WIDTH - 70 and index + 1 < len(answers) and not cut:
            cut = f"and {len(answers) - index} more"
            drawn.append(text(place, y + HEIGHT - 11, cut, 11, fill="#8e8e8e"))
        if not cut:
            drawn += [f'<rect x="{place:g}" y="{y + HEIGHT - 17}" width="12" height="3" fill="{color}"/>', text(place + 17, y + HEIGHT - 11, name, 11)]
            place += takes
    return drawn


def draw(dashboard, answers, begin, end):
    """The whole picture. answers: by title of a panel."""
    panels = dashboard["panels"]
    width = 2 * WIDTH + 3 * GAP
    height = TOP + -(-len(panels) // 2) * (HEIGHT + GAP)
    body = [text(GAP, 28, dashboard["title"], 18, weight="bold"), text(GAP, 48, "A rendering by scripts/dashboard-pictures, not a picture of Grafana: what real model servers told a real Prometheus.", 11, fill="#8e8e8e")]
    for panel in panels:
        x = GAP + panel["gridPos"]["x"] // 12 * (WIDTH + GAP)
        y = TOP + panel["gridPos"]["y"] // 8 * (HEIGHT + GAP)
        body += draw_panel(panel, answers[panel["title"]], begin, end, x, y)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif">', f'<rect width="{width}" height="{height}" fill="#111217"/>', *body, "</svg>", ""])


def answers_of(bench, panel, begin, end):
    """What Prometheus says to the panel's queries, as the dashboard would ask them of that time."""
    targets = live.of_prometheus(panel)
    if not targets:
        return None
    found = []
    for target in targets:
        for series in bench.ask("/api/v1/query_range", query=live.query(target, RATE), start=begin, end=end, step=STEP)["result"]:
            found.append((legend_of(target["legendFormat"], series["metric"]), [(float(at), float(value)) for at, value in series["values"]]))
    return sorted(found)


def main(directory):
    if why := live.missing():
        sys.exit(why)
    with live.Bench() as bench:
        fraud, admin = bench.serve("fraud", VARIANTS, {"main": ROLLOUT[0][1], "next": {"next-2": 10000}})
        ranking, _ = bench.serve("ranking", {"main": {"traffic": 10000}}, {"main": {"main-7": 10000}})
        began = time.time()
        # More and less over the minutes, as clients are.
        # In the second half they send other values.
        bench.load(fraud, "fraud", lambda: 0.012 + 0.008 * math.sin((time.time() - began) / 25), refused=37, moved=lambda: 2 if time.time() > began + ENDS / 2 else 0)
        bench.load(ranking, "ranking", lambda: 0.03, refused=100)
        bench.watch([fraud, ranking], "1s")
        for after, shares in ROLLOUT[1:]:
            # A plan of time, not a wait for something: the picture shows a rollout.
            time.sleep(max(0, began + after - time.time()))
            for revision in shares:
                while admin.ask("PUT", f"/revisions/{revision}", bench.spec(*bench.parts(revision)))["state"] != "ready":
                    time.sleep(0.1)
            admin.ask("PUT", "/routing", {"variants": VARIANTS, "weights": {"main": shares, "next": {"next-2": 10000}}})
        time.sleep(max(0, began + (ROLLOUT[-1][0] + ENDS) / 2 - time.time()))
        admin.ask("DELETE", "/revisions/main-1?drain_seconds=5")
        time.sleep(max(0, began + ENDS - time.time()))
        begin, end = began + int(RATE[:-1]) + 5, began + ENDS
        for name, dashboard in bench.dashboards().items():
            # That of the example is one of a user.
            if name != "fraud":
                answers = {panel["title"]: answers_of(bench, panel, begin, end) for panel in dashboard["panels"]}
                (Path(directory) / f"{name}.svg").write_text(draw(dashboard, answers, begin, end))


if __name__ == "__main__":
    main(*sys.argv[1:])
