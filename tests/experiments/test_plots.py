import csv
import math

import numpy as np
import pytest

from mho.command import main
from mho.experiments import plots
from mho.experiments.plots import plot_curves, plot_histograms

NETLIST = """ladder with {nodes} nodes
v1 n0 0 sin(0 1 1k)
{rungs}
{cards}
.tran 10u 1m
.end
"""


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    saved = plots.save_figure
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: (figures.append(figure), saved(figure, path)))
    return figures


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def labels(axis) -> list[str]:
    return [axis.get_major_formatter()(v, None) for v in axis.get_majorticklocs() if axis.get_view_interval()[0] <= v]


def test_curves_have_whole_epochs_logarithms_where_values_span_decades_and_a_regressions_own_name(drawn, tmp_path):
    metrics = [{"epoch": k, "train_loss": 10.0**-k, "train_error": 0.5 / k, "test_error": None, "error_after": 0.4 / k}
               for k in range(1, 4)]  # fmt: skip
    plot_curves(metrics, tmp_path / "c.pdf", regression=False)
    plot_curves(metrics, tmp_path / "r.svg", regression=True)
    for figure, name, factor in zip(drawn, ("error [%]", "fraction of variance unexplained"), (100, 1), strict=True):
        left, right = figure.axes
        assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
        assert all(float(tick).is_integer() for axes in figure.axes for tick in axes.get_xticks())
        assert right.get_ylabel() == name
        assert right.lines[0].get_ydata()[0] == pytest.approx(0.5 * factor)
        assert [text.get_text() for text in right.get_legend().get_texts()] == ["training", "training, after the epoch"]
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF") and b"<svg" in (tmp_path / "r.svg").read_bytes()
    assert [float(row["train_error"]) for row in table(tmp_path / "r.csv")] == [0.5, 0.25, pytest.approx(0.5 / 3)]


def test_histograms_show_bounds_units_and_every_weight(drawn, tmp_path):
    spread, narrow = np.geomspace(1e-6, 1e-2, 500), np.linspace(1e-3, 2e-3, 30)
    found = {"crossbar 1": spread, "crossbar 2": narrow}
    bounds = {"crossbar 1": (1e-7, math.inf), "crossbar 2": (1e-3, 4e-3)}
    plot_histograms(found, "conductance [S]", tmp_path / "h.png", bounds)
    first, second = drawn[0].axes
    assert (first.get_xscale(), second.get_xscale()) == ("log", "linear")
    assert [[line.get_xdata()[0] for line in axes.lines] for axes in (first, second)] == [[1e-7], [1e-3, 4e-3]]
    assert {"1 µS", "100 µS"} <= set(labels(first.xaxis)) and first.get_xlabel() == "conductance"
    drawn[0].canvas.draw()
    for axes in (first, second):
        boxes = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        assert all(a.x1 < b.x0 for a, b in zip(boxes[:-1], boxes[1:], strict=True))
    for name, values in found.items():
        counts = [int(row["count"]) for row in table(tmp_path / "h.csv") if row["weights"] == name]
        assert sum(counts) == len(values)


@pytest.mark.parametrize(
    ("nodes", "cards", "options", "shown"),
    [
        (4, "", [], ["n0", "n1", "n2", "n3"]),
        (4, ".print tran v(n3) v(n1,n2)\n.print ac v(n0)", [], ["n3", "n1:n2"]),
        (4, ".print tran v(n3)", ["--nodes", "n2:n0,n1"], ["n2:n0", "n1"]),
        (20, "", [], [f"n{k}" for k in range(12)]),
    ],
)
def test_a_transients_plot_has_the_nodes_asked_for(drawn, tmp_path, capsys, nodes, cards, options, shown):
    rungs = "\n".join(f"r{k} n{k} n{k + 1} 1k\nrg{k} n{k + 1} 0 10k" for k in range(nodes - 1))
    (tmp_path / "l.cir").write_text(NETLIST.format(nodes=nodes, rungs=rungs, cards=cards))
    files = ["--plot", str(tmp_path / "l.pdf"), "-o", str(tmp_path / "all.csv")]
    assert main(["transient", str(tmp_path / "l.cir"), *files, *options]) == 0
    (axes,) = drawn[0].axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == shown
    everything, data = table(tmp_path / "all.csv"), table(tmp_path / "l-data.csv")
    assert list(data[0]) == ["time", *shown] and len(everything[0]) == nodes + 1
    for name in shown:
        plus, minus = [*name.split(":"), None][:2]
        ends = [float(row[plus]) - (float(row[minus]) if minus else 0.0) for row in everything]
        assert [float(row[name]) for row in data] == pytest.approx(ends, abs=1e-9)
    assert ("12 of 20 nodes are drawn" in capsys.readouterr().err) == (nodes == 20)
    assert all(label.endswith("s") for label in labels(axes.xaxis))


def test_what_cannot_be_plotted_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "l.cir").write_text(NETLIST.format(nodes=1, rungs="r1 n0 out 1k\nr2 out 0 1k", cards=""))
    assert main(["transient", str(tmp_path / "l.cir"), "--plot", str(tmp_path / "l.svg"), "--nodes", "ouy"]) == 2
    assert main(["transient", str(tmp_path / "l.cir"), "--nodes", "out"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "no node 'ouy'; did you mean out?" in said[0] and "goes with --plot" in said[1] and len(said) == 2
