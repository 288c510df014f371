"""Elements of Verilog-A modules against their formulas and ngspice; what is no such element is refused in one line."""

from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.integrate import quad

import mho
from mho.constants import BOLTZMANN, ELEMENTARY_CHARGE, ROOM_TEMPERATURE
from mho.elements.shockley_diode import thermal_voltage
from mho.ngspice.simulator import operating_point
from referee import require_ngspice

pytest.importorskip("openvaf_py")

DIODE = f"""`include "disciplines.vams"
module junction(a, c);
  inout a, c; electrical a, c;
  parameter real is = 1e-12 from (0:inf);
  parameter real n = 1.2 from (0:10);
  real x;
  analog begin
    x = $limit(V(a,c), "pnjlim", n*$vt, 0.6)/(n*{BOLTZMANN / ELEMENTARY_CHARGE!r}*$temperature);
    I(a,c) <+ is*(limexp(x) - 1) + ddt(1e-12*V(a,c)) + $simparam("gmin", 0)*V(a,c) + white_noise(is, "shot");
  end
endmodule
"""
SINH = """`include "law.inc"
module gap(p, n);
  inout p, n; electrical p, n;
  parameter real alpha = 2e-4;
  parameter integer order = 2;
  analog I(n,p) <+ alpha*sinh(3*V(n,p)) + (V(p,n) > 0.2 && order > 1 ? `EXTRA : 0);
endmodule
"""
LAW = """`include "disciplines.vams"
`define EXTRA -1e-3*pow(V(p,n) - 0.2, order)
"""


def written(folder: Path, text: str, name: str = "module.va") -> Path:
    (folder / "law.inc").write_text(LAW)
    (folder / name).write_text(text)
    return folder / name


def test_laws_are_the_formulas_and_ngspice_s(tmp_path: Path) -> None:
    require_ngspice()
    v = np.linspace(-0.5, 0.7, 49)
    scale = 1.2 * thermal_voltage(ROOM_TEMPERATURE)
    expected = {
        DIODE: (1e-12 * np.expm1(v / scale), 1e-12 * np.exp(v / scale) / scale),
        SINH: (
            2e-4 * np.sinh(3 * v) + 1e-3 * np.maximum(v - 0.2, 0) ** 2,
            6e-4 * np.cosh(3 * v) + 2e-3 * np.maximum(v - 0.2, 0),
        ),
    }
    junctions = "".join(f"Vd{k} d{k} 0 {x}\nDd{k} d{k} 0 spice\n" for k, x in enumerate(v))
    model = f".model spice D(IS=1e-12 N=1.2)\n{junctions}"
    for text, (current, slope) in expected.items():
        element = mho.read_verilog_a(written(tmp_path, text))
        np.testing.assert_allclose(element.current(v), current, rtol=1e-9, atol=1e-21)
        np.testing.assert_allclose(element.slope(v), slope, rtol=1e-9)
        cards = "".join(f"Vx{k} x{k} 0 {x}\n{element.card(f'x{k}', f'x{k}', '0')[0]}\n" for k, x in enumerate(v))
        point = operating_point(f"* laws\n{cards}{model}.op\n.end\n", gmin=1e-20)
        theirs = [-point.branches[f"vx{k}"] for k in range(len(v))]
        np.testing.assert_allclose(theirs, current, rtol=1e-9, atol=1e-20)
        if text is DIODE:
            spice = np.array([-point.branches[f"vd{k}"] for k in range(len(v))])
            np.testing.assert_allclose(spice[v > -0.09], current[v > -0.09], rtol=1e-9, atol=1e-20)


def test_co_content_and_derivatives_are_those_of_the_law(tmp_path: Path) -> None:
    element = mho.read_verilog_a(written(tmp_path, DIODE), nodes=2)
    v = np.array([-0.4, 0.6])
    with jax.enable_x64(True):
        content, by_content = jax.jvp(element.co_content, (jax.numpy.asarray(v),), (jax.numpy.ones(2),))
        _, by_law = jax.jvp(element.current, (jax.numpy.asarray(v),), (jax.numpy.ones(2),))
    areas = [quad(lambda u: float(element.current(np.array([u, u]))[0]), 0, x, epsabs=0, epsrel=1e-12)[0] for x in v]
    np.testing.assert_allclose(content, areas, rtol=1e-11)
    np.testing.assert_allclose(by_content, element.current(v), rtol=1e-9)
    np.testing.assert_allclose(by_law, element.slope(v), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DIODE.replace("$temperature);", "$temperature)"), ":9: unexpected token"),
        (DIODE.replace("<+ is*", "<+ iss*"), ":9: "),
        (DIODE.replace("(a, c);", "(a, c, b);").replace("electrical a", "inout b; electrical b, a"), "has 3 terminals"),
        (DIODE.replace("ddt(1e-12*V(a,c))", "V(a)"), r"depends on V\(a\), not on the voltage between its terminals"),
        (DIODE.replace("I(a,c) <+", "V(a,c) <+"), "has unknowns of its own"),
        (DIODE.replace("is*(limexp", "-is*(limexp"), "its current decreases with the voltage"),
        (DIODE.replace("1.2 from", "1/0.8 from"), "the default of parameter n is no plain number"),
        (DIODE.replace("limexp(x) - 1", "ln(x)"), "its current is not finite at -1 V"),
        (DIODE + DIODE.replace("junction", "another"), "holds 2 modules"),
        (DIODE.replace("disciplines", "nowhere"), r":1: "),
    ],
)
def test_what_is_no_element_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(mho.InputError, match=message) as refused:
        mho.read_verilog_a(file)
    assert str(refused.value).startswith(f"{file}:") and "\n" not in str(refused.value)
