"""The law of a diode's junction in high precision, written down again from ngspice 39's manual and behaviour.

Nothing of `mho.elements` is used. With V = N·k·T/q, the bottom's current is IS·(exp(v/V) − 1) for v ≥ −3V; below
−IS·(1 + (3V/(e·v))³); and −IS·exp(−(BV + v)/(NBV·k·T/q)) for v < −BV, where BV is shifted so that IBV flows at the card's
BV. A sidewall (JSW) with an NS of its own follows the same law with that; without one its current joins the bottom's.
Recombination (ISR, NR) times ((1 − v/VJ)² + 0.005)^(M/2) adds to the bottom for v ≥ −3V, tunnelling (JTUN, NTUN) takes
exp(−v/(NTUN·k·T/q)) − 1 away. High injection divides the sum i by 1 + √(i/IKF) for v ≥ −3V and by 1 + √(−i/IKR) below.
gmin's current comes last. Saturation currents follow the temperature by EG and XTI, BV by TCV, VJ and M as the manual's
section on the diode's temperature has it.
"""

from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from mho.netlists.reading.netlist import DiodeModel, Netlist

# Decimals: they become numbers at the digits that are computed with.
_BOLTZMANN = "1.38064852e-23"
_CHARGE = "1.6021766208e-19"
_ZERO_CELSIUS = "273.15"
_REFERENCE = "300.15"
_LEAST_AT_KNEE = "1e-18"
# As SPICE fits BV to IBV, to ngspice's reltol where it is the referee.
_BREAKDOWN_RELTOL = 1e-9

Number = Any
"""mpmath's numbers, whose type it does not tell."""


@dataclass(frozen=True, slots=True)
class Junction:
    """A diode's junction between two unknowns; −1 is ground. Currents in A, scales (N·k·T/q) and BV in V; None: none."""

    anode: int
    cathode: int
    saturation: Number
    scale: Number
    breakdown: Number | None
    breakdown_scale: Number
    sidewall: tuple[Number, Number] | None = None
    """Saturation current and scale of a sidewall with its own law."""
    recombination: tuple[Number, Number, Number, Number] | None = None
    """Current, scale, VJ [V] and M."""
    tunnelling: tuple[Number, Number] | None = None
    """Current and scale."""
    forward_knee: Number | None = None
    reverse_knee: Number | None = None

    def law(self, drop: Number, gmin: Number) -> tuple[Number, Number]:
        """Current [A] and slope [S] at a junction voltage [V]."""
        current, slope = self._pure(drop, self.saturation, self.scale)
        forward = drop >= -3 * self.scale
        if self.recombination is not None and forward:
            size, scale, potential, grading = self.recombination
            grown = mpmath.exp(drop / scale)
            depleted = (1 - drop / potential) ** 2 + mpf("0.005")
            factor = depleted ** (grading / 2)
            current += size * (grown - 1) * factor
            narrowing = -grading * (1 - drop / potential) / potential * factor / depleted
            slope += size * (grown / scale * factor + (grown - 1) * narrowing)
        if self.sidewall is not None:
            side = self._pure(drop, *self.sidewall)
            current, slope = current + side[0], slope + side[1]
        if self.tunnelling is not None:
            size, scale = self.tunnelling
            grown = mpmath.exp(-drop / scale)
            current, slope = current - size * (grown - 1), slope + size * grown / scale
        knee, sign = (self.forward_knee, 1) if forward else (self.reverse_knee, -1)
        if knee is not None and sign * current > mpf(_LEAST_AT_KNEE):
            root = mpmath.sqrt(sign * current / knee)
            # d/di of i/(1 + √(i/I)) is (1 + √(i/I)/2)/(1 + √(i/I))².
            current, slope = current / (1 + root), slope * (1 + root / 2) / (1 + root) ** 2
        return current + gmin * drop, slope + gmin

    def _pure(self, drop: Number, saturation: Number, scale: Number) -> tuple[Number, Number]:
        if drop >= -3 * scale:
            grown = mpmath.exp(drop / scale)
            return saturation * (grown - 1), saturation * grown / scale
        if self.breakdown is None or drop >= -self.breakdown:
            cubic = (3 * scale / (drop * mpmath.e)) ** 3
            return -saturation * (1 + cubic), 3 * saturation * cubic / drop
        grown = mpmath.exp(-(self.breakdown + drop) / self.breakdown_scale)
        return -saturation * grown, saturation * grown / self.breakdown_scale

    def limited(self, new: Number, old: Number) -> Number:
        """SPICE's limit of a step up the exponential, forward or in breakdown."""
        if self.breakdown is not None and new < min(mpf(0), -self.breakdown + 10 * self.breakdown_scale):
            beyond = -(new + self.breakdown)
            climbed = self._climb(beyond, -(old + self.breakdown), self.breakdown_scale)
            return new if climbed == beyond else -(climbed + self.breakdown)
        return self._climb(new, old, self.scale)

    def _climb(self, new: Number, old: Number, scale: Number) -> Number:
        critical = scale * mpmath.log(scale / (mpmath.sqrt(2) * self.saturation))
        if new <= critical or abs(new - old) <= 2 * scale:
            return new
        if old > 0:
            growth = 1 + (new - old) / scale
            return old + scale * mpmath.log(growth) if growth > 0 else critical
        return scale * mpmath.log(new / scale) if new > scale else new


def junction_of(netlist: Netlist, k: int, anode: int, cathode: int) -> Junction:
    """The junction of a netlist's diode number k, between two unknowns."""
    diodes = netlist.diodes
    model = netlist.models[diodes.model[k]]
    kelvin = mpf(float(diodes.temperature[k])) + mpf(_ZERO_CELSIUS)
    nominal = mpf(model.nominal_temperature) + mpf(_ZERO_CELSIUS)
    thermal = mpf(_BOLTZMANN) * kelvin / mpf(_CHARGE)
    multiplier = mpf(float(diodes.multiplier[k]))
    area, perimeter = mpf(float(diodes.area[k])), mpf(float(diodes.perimeter[k]))

    def heated(current: float, size: Number, emission: Number, energy: Number, exponent: float) -> Number:
        ratio = kelvin / nominal
        grown = (ratio - 1) * energy / (emission * thermal) + mpf(exponent) / emission * mpmath.log(ratio)
        return mpf(current) * size * mpmath.exp(grown)

    emission, energy, exponent = mpf(model.emission), mpf(model.activation_energy), model.saturation_exponent
    bottom = heated(model.saturation_current, area, emission, energy, exponent)
    own = model.sidewall_emission
    side_emission = mpf(1 if own is None else own)
    side = heated(model.sidewall_current, perimeter, side_emission, energy, exponent)
    breakdown_scale = thermal * mpf(model.emission if model.breakdown_emission is None else model.breakdown_emission)
    breakdown = None
    if model.breakdown_voltage is not None:
        fall = mpf(model.breakdown_temperature) * (kelvin - nominal)
        given = mpf(model.breakdown_voltage)
        given = given - fall if model.breakdown_temperature_law == 0 else given * (1 - fall)
        at_breakdown = mpf(model.breakdown_current) * (area if model.level == 3 else multiplier)
        breakdown = _fitted(given, at_breakdown, bottom, breakdown_scale, thermal)
    recombination = tunnelling = None
    if model.recombination_current:
        again = mpf(model.recombination_emission)
        size = heated(model.recombination_current, area, again, energy, exponent)
        recombination = (size, again * thermal, *_depletion(model, nominal, kelvin))
    if model.tunnelling_current or model.tunnelling_sidewall_current:
        through = mpf(model.tunnelling_emission)
        gap = energy * mpf(model.tunnelling_energy_factor)
        size = heated(model.tunnelling_current, area, through, gap, model.tunnelling_exponent)
        size += heated(model.tunnelling_sidewall_current, perimeter, through, gap, model.tunnelling_exponent)
        tunnelling = (size, through * thermal)
    return Junction(
        anode,
        cathode,
        bottom + side if own is None else bottom,
        emission * thermal,
        breakdown,
        breakdown_scale,
        None if own is None or side == 0 else (side, side_emission * thermal),
        recombination,
        tunnelling,
        None if model.forward_knee is None else mpf(model.forward_knee) * area,
        None if model.reverse_knee is None else mpf(model.reverse_knee) * area,
    )


def series_conductance(netlist: Netlist, k: int) -> Number | None:
    """What stands between the anode of diode number k and its junction [S], or None."""
    model = netlist.models[netlist.diodes.model[k]]
    warmer = mpf(float(netlist.diodes.temperature[k])) - mpf(model.nominal_temperature)
    drift = 1 + mpf(model.resistance_temperature_1) * warmer + mpf(model.resistance_temperature_2) * warmer**2
    ohms = mpf(model.series_resistance) * drift
    return mpf(float(netlist.diodes.area[k])) / ohms if ohms > 0 else None


def _depletion(model: DiodeModel, nominal: Number, kelvin: Number) -> tuple[Number, Number]:
    """VJ [V] and M at a temperature [K]."""
    reference = mpf(_REFERENCE)

    def shift(at: Number) -> Number:
        """By what the gap and the intrinsic concentration lower a potential, from the reference temperature [V]."""
        gap = mpf("1.16") - mpf("7.02e-4") * at**2 / (at + 1108)
        thermal = mpf(_BOLTZMANN) * at / mpf(_CHARGE)
        at_reference = mpf(_BOLTZMANN) * reference / mpf(_CHARGE)
        exponent = mpf("1.1150877") / (2 * at_reference) - gap / (2 * thermal)
        return -2 * thermal * (mpf("1.5") * mpmath.log(at / reference) + exponent)

    warmer = kelvin - nominal
    potential = mpf(model.junction_potential)
    if model.capacitance_temperature_law == 0:
        potential = shift(kelvin) + (potential - shift(nominal)) * kelvin / nominal
    else:
        potential -= mpf(model.potential_temperature) * (kelvin - reference)
    if model.forward_bias > 0:
        potential = min(potential, 1 / mpf(model.forward_bias))
    drift = 1 + mpf(model.grading_temperature_1) * warmer + mpf(model.grading_temperature_2) * warmer**2
    return potential, min(mpf(model.grading) * drift, mpf("0.9"))


def _fitted(given: Number, current: Number, saturation: Number, scale: Number, thermal: Number) -> Number:
    """SPICE's fixed-point iteration for the voltage from which the exponential of breakdown counts."""
    if current < saturation * given / thermal:
        return given
    shifted = given - scale * mpmath.log(1 + current / saturation)
    for _ in range(25):
        shifted = given - scale * mpmath.log(current / saturation + 1 - shifted / thermal)
        reached = saturation * (mpmath.exp((given - shifted) / scale) - 1 + shifted / thermal)
        if abs(reached - current) <= _BREAKDOWN_RELTOL * current:
            break
    return shifted
