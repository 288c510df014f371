"""The referee refereed: ngspice against closed forms and against itself, and everything that can go wrong with it."""

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import lambertw

from mho.errors import InputError, MhoError
from mho.ngspice.rawfile import read_raw
from mho.ngspice.simulator import NgspicePool, NgspiceSession, SpiceError, operating_point, transient

# With CI set a missing ngspice is a failure, not a reason to skip.
pytestmark = pytest.mark.skipif(
    shutil.which("ngspice") is None and not os.environ.get("CI"), reason="ngspice is not on the PATH"
)

VT = 1.38064852e-23 * 300.15 / 1.6021766208e-19  # ngspice's constants, 27 °C


def ngspice_children() -> list[int]:
    """The ngspice processes that this process has started and not yet waited for, zombies included."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "ngspice" and int(rest.split()[1]) == os.getpid():
            pids.append(int(stat.parent.name))
    return pids


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """Temporary folders go to an empty folder, and at the end neither one nor a process is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())
    assert not ngspice_children()


# Operating points ----------------------------------------------------------------------------------------------


def test_divider_names_and_sign_of_currents(nothing_left):
    point = operating_point("title\nV1 IN 0 3\nR1 IN x.Mid-1 1k\nR2 x.Mid-1 0 2k\nE1 e 0 x.Mid-1 0 4\nR3 e 0 1k\n")
    assert point.voltages == pytest.approx({"in": 3, "x.mid-1": 2, "e": 8}, rel=1e-15)
    assert point.branches == pytest.approx({"v1": -1e-3, "e1": -8e-3}, rel=1e-14)
    assert point.warnings == ()


@pytest.mark.parametrize(
    ("supply", "resistance", "saturation", "emission", "bias"),
    [(1.0, 1e3, 1e-9, 1.0, 0.0), (0.5, 1e5, 1e-6, 2.0, 0.1), (5.0, 10.0, 1e-14, 1.5, -0.3), (-0.04, 1e4, 1e-6, 1.0, 0)],
)
def test_diode_behind_a_resistor_is_lambert_w(supply, resistance, saturation, emission, bias):
    """U = V − Vb + R Is, with V − Vb = R i + v and i = Is (exp(v/nVt) − 1): v = U − nVt W(R Is/nVt · exp(U/nVt))."""
    nvt = emission * VT
    point = operating_point(
        f"t\nV1 a 0 {supply!r}\nR1 a b {resistance!r}\nD1 b c dm\nVb c 0 {bias!r}\n"
        f".model dm d is={saturation!r} n={emission!r}\n",
        gmin=0.0,
    )
    lifted = supply - bias + resistance * saturation
    drop = lifted - nvt * lambertw(resistance * saturation / nvt * math.exp(lifted / nvt)).real
    assert point.voltages["b"] - bias == pytest.approx(drop, rel=1e-11)
    assert point.branches["vb"] == pytest.approx(saturation * math.expm1(drop / nvt), rel=1e-10, abs=0)


@pytest.mark.parametrize("gmin", [0.0, 1e-12, 1e-3])
@pytest.mark.parametrize("volts", [-5.0, -0.2, -3 * VT - 1e-6, -3 * VT + 1e-6, -0.01])
def test_reverse_diode_law(volts, gmin):
    """Below −3 n Vt ngspice's diode is a cubic, and GMIN lies across it everywhere."""
    point = operating_point(f"t\nV1 a 0 {volts!r}\nD1 a 0 dm\n.model dm d is=1e-6\n", gmin=gmin)
    law = math.expm1(volts / VT) if volts >= -3 * VT else -1 - (3 * VT / (math.e * volts)) ** 3
    assert -point.branches["v1"] == pytest.approx(1e-6 * law + gmin * volts, rel=1e-13, abs=0)


def test_bidirectional_amplifier_of_controlled_sources():
    """E makes A v, F returns 1/A of the current that E delivers: the load looks A⁰ = R to the node, not R/A."""
    gain, load = 4.0, 2e3
    point = operating_point(
        f"t\nV1 in 0 1\nR1 in h 1k\nE1 e 0 h 0 {gain}\nVs e a 0\nF1 h 0 Vs {1 / gain}\nR2 a 0 {load}\n"
    )
    assert point.voltages["h"] == pytest.approx(load / (1e3 + load), rel=1e-14)
    assert point.voltages["a"] == pytest.approx(gain * load / (1e3 + load), rel=1e-14)


def test_sixteen_digits_come_back():
    point = operating_point("t\nV1 a 0 1\nV2 b a 1e-13\nV3 c 0 0.1234567890123456\nR1 a 0 1\nR2 b 0 1\nR3 c 0 3\n")
    assert point.voltages["b"] - point.voltages["a"] == pytest.approx(1e-13, abs=3e-16)
    assert point.voltages["c"] == pytest.approx(0.1234567890123456, rel=4e-16)


def test_what_a_netlist_asks_beside_its_circuit_is_left_out(nothing_left):
    netlist = """*ng_script
V1 a 0 1
R1 a b 1k
D1 b 0 dm
.model dm d is=1e-9
.options reltol=0.1
+ vntol=1 gmin=1e-3
.control
quit 1
.endc
.TRAN 1n

* the time
+ 1 uic
.save v(a)
.end
R9 b 0 1
"""
    point = operating_point(netlist)
    expected = 1 + 1e-6 - VT * lambertw(1e-6 / VT * math.exp((1 + 1e-6) / VT)).real
    assert point.voltages["b"] == pytest.approx(expected, rel=1e-9)


def test_ignored_model_parameter_is_a_warning():
    point = operating_point("t\nV1 a 0 1\nR1 a b 1k\nD1 b 0 dm\n.model dm d is=1e-9 nosuch=3\n")
    assert any("nosuch" in warning for warning in point.warnings)


def test_user_settings_and_current_folder(tmp_path, monkeypatch, nothing_left):
    (tmp_path / ".spiceinit").write_text("quit 1\n")
    (tmp_path / "half.cir").write_text("R2 b 0 1k\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert operating_point("t\nV1 a 0 1\nR1 a b 1k\n.include half.cir\n").voltages["b"] == pytest.approx(0.5)
    assert {path.name for path in tmp_path.iterdir()} == {".spiceinit", "half.cir", "temporary"}


# Failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ("I1 0 b 1m\nI2 b 0 1m\nR2 b c 1k\nV1 a 0 1\nR1 a 0 1", "singular matrix: check node b"),  # floating island
        ("V1 a 0 1\nR1 a b 1k\nR2 b 0 -1k", "singular matrix: check node b"),
        ("V1 a 0 1\nV2 a 0 2\nR1 a 0 1k", "singular matrix: check node v"),  # a loop of sources
        ("V1 a 0 1\nR1 a b 1k\nB1 b 0 I=v(b)>0.5 ? 1 : -1", "Too many iterations"),  # no solution exists
        ("V1 a 0 1e200\nR1 a b 1e-300\nD1 b 0 dm\n.model dm d", "Too many iterations"),  # not a number
    ],
)
def test_no_operating_point_is_an_error(elements, reason, nothing_left):
    with pytest.raises(SpiceError, match=reason) as caught:
        operating_point(f"t\n{elements}\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ("R1 a 0 1k\nD1 a 0 nosuch", r"line 3 .*: d1 a 0 nosuch; could not find a valid model"),
        ("R1 a 0 1k\nR1 a 0 2k", r"line 3 .*: r1 a 0 2k; device already exists"),
        (".include nosuch.cir\nR1 a 0 1k", "include file nosuch.cir"),
    ],
)
def test_refused_netlists(elements, reason, nothing_left):
    with pytest.raises(InputError, match=reason) as caught:
        operating_point(f"t\n{elements}\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: operating_point(""), "netlist is empty"),
        (lambda: operating_point(DIODES, gmin=-1.0), "gmin = -1.0 S"),
        (lambda: operating_point(DIODES, timeout=0.0), "timeout = 0.0 s"),
        (lambda: transient(DIODES), "0 .tran cards"),
        (lambda: NgspiceSession(DIODES, ["d1"], ["b"]), "'d1' has no value to set"),
        (lambda: NgspiceSession(DIODES, ["r1", "R1"], ["b"]), "'r1' is listed twice"),
        (lambda: NgspiceSession(DIODES, ["r1", "r77"], ["b"]), "no element 'r77'"),
        (lambda: NgspiceSession(DIODES, ["r1"], []), "no node is listed"),
        (lambda: NgspicePool(DIODES, ["r1", "r77"], ["b"], processes=2), "no element 'r77'"),
        (lambda: NgspicePool(DIODES, ["r1"], ["b"], processes=0), "processes = 0"),
        (lambda: solve_diodes(["b", "q"], [[1e3, 1]]), "no node 'q'"),
        (lambda: solve_diodes(["b"], [[1, 2], [0, 1]]), "sample 1: r1 = 0.0"),
        (lambda: solve_diodes(["b"], [[1, math.nan]]), "sample 0: v1 = nan"),
        (lambda: solve_diodes(["b"], [[1.0]]), r"shape \(1, 1\)"),
    ],
)
def test_wrong_input_is_one_clear_line(call, reason, nothing_left):
    with pytest.raises(InputError, match=reason) as caught:
        call()
    assert "\n" not in str(caught.value)


def solve_diodes(nodes, values):
    with NgspiceSession(DIODES, ["r1", "v1"], nodes) as running:
        return running.operating_points(values)


def test_missing_ngspice(monkeypatch, nothing_left):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"apt install ngspice"):
        operating_point(DIODES)


def test_timeout_kills(nothing_left):
    with pytest.raises(SpiceError, match=r"not done after .* s; it was killed"):
        transient("t\nV1 a 0 sin(0 1 1k)\nR1 a b 1k\nC1 b 0 1u\n.tran 1n 1000\n", timeout=0.5)


# Transients ----------------------------------------------------------------------------------------------------


def test_transient_of_a_charging_capacitor(nothing_left):
    wave = transient("t\nV1 a 0 1\nR1 a b.c 1k\nC1 b.c 0 1u ic=0\n.options reltol=1e-6\n.op\n.tran 1u 3m uic\n")
    assert wave.times[-1] == pytest.approx(3e-3)
    assert wave.voltages.keys() == {"a", "b.c"}
    np.testing.assert_allclose(wave.voltages["b.c"], -np.expm1(-wave.times / 1e-3), atol=2e-4)
    np.testing.assert_allclose(wave.branches["v1"][1:], (wave.voltages["b.c"][1:] - 1) / 1e3, rtol=1e-6, atol=1e-12)
    assert wave.warnings == ()


def test_transient_that_breaks_off_is_an_error(nothing_left):
    with pytest.raises(SpiceError, match=r"time = 0\.5"):
        transient("t\nV1 a 0 1\nR1 a b 1k\nB1 b 0 I=time>0.5 ? (v(b)>0.1 ? 1 : -1) : 0\nC1 b 0 1f\n.tran 1m 1\n")


# Sessions and pools --------------------------------------------------------------------------------------------

# Every kind of value that can be altered, a subcircuit, biased diodes and an amplifier between two layers.
DIODES = """title
V1 a 0 0
I1 0 b 0
R1 a b 1k
X1 b half
D1 b ba dm
Va ba 0 0.1
D2 bb b dm
Vb bb 0 -0.1
E1 e 0 b 0 4
Vs e f 0
F1 b 0 Vs 0.25
R2 f o 1k
R3 o 0 1k
.subckt half n
Rh n 0 1k
.ends
.model dm d is=1e-6
"""
ALTERED = ["v1", "I1", "r1", "r2", "r.x1.rh", "vb"]
NODES = ["o", "B", "f"]

resistances = st.floats(1.0, 7.0).map(lambda decade: 10.0**decade)
samples = st.tuples(
    st.floats(-10, 10), st.floats(-1e-2, 1e-2), resistances, resistances, resistances, st.floats(-0.5, 0.5)
)


def fresh(sample) -> list[float]:
    """The voltages of NODES from a netlist of its own."""
    v1, i1, r1, r2, rh, vb = (repr(float(value)) for value in sample)
    netlist = DIODES.replace("V1 a 0 0", f"V1 a 0 {v1}").replace("I1 0 b 0", f"I1 0 b {i1}")
    netlist = netlist.replace("R1 a b 1k", f"R1 a b {r1}").replace("R2 f o 1k", f"R2 f o {r2}")
    netlist = netlist.replace("Rh n 0 1k", f"Rh n 0 {rh}").replace("Vb bb 0 -0.1", f"Vb bb 0 {vb}")
    voltages = operating_point(netlist).voltages
    return [voltages[node.lower()] for node in NODES]


def test_altered_equals_fresh(nothing_left):
    """Whatever a session solved before, its voltages are those of a new process with a new netlist."""
    with NgspiceSession(DIODES, ALTERED, NODES) as running:

        @settings(max_examples=25, deadline=None)
        @given(st.lists(samples, min_size=1, max_size=3))
        def compare(values):
            expected = [fresh(sample) for sample in values]
            np.testing.assert_allclose(running.operating_points(values), expected, rtol=1e-11, atol=1e-14)

        compare()


def test_pool_shares_samples_in_order(nothing_left):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-1, 1, (23, 2)) * [1, 1e-3], 10 ** rng.uniform(2, 5, (23, 3))], axis=1)
    with NgspicePool(DIODES, ALTERED[:5], NODES, processes=3) as pool:
        assert len(ngspice_children()) == 3
        voltages = pool.operating_points(values)
        assert pool.operating_points(values[:1]).shape == (1, 3)
        assert pool.operating_points(values[:0]).shape == (0, 3)
    with NgspiceSession(DIODES, ALTERED[:5], NODES) as alone:
        np.testing.assert_allclose(voltages, alone.operating_points(values), rtol=1e-11, atol=1e-14)


SINGULAR = "t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n"  # with R2 = −1 kΩ


@pytest.mark.parametrize("processes", [1, 3])
def test_failed_sample_is_named_and_closes(processes, nothing_left):
    values = np.full((9, 1), 1e3)
    values[7] = -1e3
    with NgspicePool(SINGULAR, ["r2"], ["b"], processes=processes) as pool:
        with pytest.raises(SpiceError, match=r"sample 7: .*singular matrix: check node b"):
            pool.operating_points(values)
        with pytest.raises(SpiceError, match="closed"):
            pool.operating_points(values[:1])
        assert not ngspice_children()


def test_killed_process_is_an_error(nothing_left):
    with NgspiceSession(SINGULAR, ["r2"], ["b"]) as alone:
        assert alone.operating_points([[1e3]]) == pytest.approx(0.5)
        os.kill(ngspice_children()[0], signal.SIGKILL)
        with pytest.raises(SpiceError, match=r"sample 0: ngspice was killed by SIGKILL"):
            alone.operating_points([[3e3]])


def test_pool_process_killed_at_work(nothing_left):
    """A share of samples that would take a minute ends at once when one process dies."""
    with NgspicePool(SINGULAR, ["r2"], ["b"], processes=2) as pool:
        victim = ngspice_children()[1]
        timer = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
        timer.start()
        started = time.monotonic()
        with pytest.raises(MhoError, match=r"killed by SIGKILL"):
            pool.operating_points(np.linspace(1.0, 2.0, 400_000)[:, None])
        assert time.monotonic() - started < 20


@pytest.mark.parametrize("end", ["interrupt", "exit"])
def test_nothing_outlives_python(end, tmp_path):
    """Neither Ctrl-C in the middle of a pool's work nor an exit without `close` leaves a process or a folder."""
    script = f"""
import numpy as np, os
from mho.ngspice.simulator import NgspicePool
pool = NgspicePool({SINGULAR!r}, ["r2"], ["b"], processes=2)
print(*[s._ngspice._process.pid for s in pool._sessions], flush=True)
if {end == "interrupt"}:
    pool.operating_points(np.linspace(1, 2, 400_000)[:, None])
"""
    python = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert python.stdout is not None
    pids = python.stdout.readline().split()
    assert len(pids) == 2
    if end == "interrupt":
        time.sleep(0.3)
        python.send_signal(signal.SIGINT)
    _, errors = python.communicate(timeout=60)
    assert ("KeyboardInterrupt" in errors) == (end == "interrupt")
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.iterdir())


# The raw file --------------------------------------------------------------------------------------------------

HEADER = "Title: t\nPlotname: Operating Point\nFlags: {flags}\nNo. Variables: {n}\nVariables:\n"


def raw_bytes(points, flags="real") -> bytes:
    names = "".join(f"\t{k}\tv(n{k})\tvoltage\n" for k in range(points.shape[1]))
    return (HEADER.format(flags=flags, n=points.shape[1]) + names + "Binary:\n").encode() + points.tobytes()


@settings(deadline=None)
@given(points=hnp.arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(1, 5))))
def test_raw_file_is_read_bit_for_bit(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("raw") / "p.raw"
    path.write_bytes(raw_bytes(points))
    names, read = read_raw(path)
    assert names == tuple(f"v(n{k})" for k in range(points.shape[1]))
    assert read.shape == points.shape and read.tobytes() == points.tobytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (raw_bytes(np.ones((2, 3)))[:-8], "ends within a point"),
        (raw_bytes(np.ones((2, 3)), flags="complex"), "expected real variables"),
        (b"Title: t\nFlags: real\nValues:\n", "no line 'Binary:'"),
    ],
)
def test_bad_raw_files(tmp_path, content, reason):
    (tmp_path / "p.raw").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_raw(tmp_path / "p.raw")
