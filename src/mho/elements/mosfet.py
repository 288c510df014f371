"""The channel of a MOSFET: the level 1 of SPICE.

Sources: Shichman and Hodges, "Modeling and simulation of insulated-gate field-effect transistor switching circuits",
IEEE Journal of Solid-State Circuits 3 (1968) 285; Massobrio and Antognetti, Semiconductor Device Modeling with SPICE, 2nd
ed., chapter 4 (the body effect and temperature); for the Newton step, Nagel, SPICE2, memorandum ERL-M520 (1975), section 4.
Checked against ngspice 39.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mho.constants import ROOM_TEMPERATURE
from mho.elements.controlled_law import ControlledLaw
from mho.elements.junction_temperature import band_gap, heated_potential
from mho.errors import InputError


class ShichmanHodgesChannel(ControlledLaw):
    """Channels of n transistors, from drain to source, by the voltages of drain, gate, source and bulk.

    With voltages against the source (all signs turned for a p-channel) and v_DS ≥ 0, v_T = VBI + γ·√(φ − v_BS) and
    v = v_GS − v_T: no current for v ≤ 0; β·(1 + λ·v_DS)·v_DS·(v − v_DS/2) for v_DS < v; ½·β·(1 + λ·v_DS)·v² beyond. For
    v_BS > 0 the root goes on as its tangent, √φ − v_BS/(2·√φ), but not below 0. For v_DS < 0 drain and source change
    places. Arrays have shape (n,).
    """

    reference: ClassVar[int | None] = 2

    polarity: Any
    """1 for an n-channel, −1 for a p-channel."""
    flat_threshold: Any
    """VBI [V], the threshold less the body's part γ·√φ, positive where more gate voltage is needed."""
    body_effect: Any
    """γ [√V]."""
    surface_potential: Any
    """φ [V]."""
    gain: Any
    """β [A/V²]: the transconductance parameter times width over length."""
    length_modulation: Any
    """λ [1/V]."""

    @classmethod
    def from_model(
        cls,
        *,
        polarity: ArrayLike,
        threshold: ArrayLike,
        transconductance: ArrayLike,
        shape: ArrayLike,
        body_effect: ArrayLike = 0.0,
        surface_potential: ArrayLike = 0.6,
        length_modulation: ArrayLike = 0.0,
        temperature: ArrayLike = ROOM_TEMPERATURE,
        nominal_temperature: ArrayLike = ROOM_TEMPERATURE,
    ) -> "ShichmanHodgesChannel":
        """Channels at a temperature, from the parameters of SPICE models at their nominal temperature.

        Args:
            polarity: 1 or −1.
            threshold: VTO [V], by SPICE's sign: negative for an enhancement p-channel.
            transconductance: KP [A/V²].
            shape: width over effective length, times the multiplier m.
            body_effect: GAMMA [√V].
            surface_potential: PHI [V].
            length_modulation: LAMBDA [1/V].
            temperature: of the transistors [K].
            nominal_temperature: TNOM [K].

        Raises:
            InputError: if the surface potential is not positive at the temperature: silicon is intrinsic there.
        """
        given = (polarity, threshold, transconductance, shape, body_effect, surface_potential, length_modulation)
        arrays = np.broadcast_arrays(*(np.asarray(p, np.float64) for p in (*given, temperature, nominal_temperature)))
        sign, vto, kp, over, gamma, phi, slope, kelvin, nominal = arrays
        warm = heated_potential(phi, nominal, kelvin)
        if not np.all(warm > 0):
            hot = float(np.broadcast_to(kelvin, warm.shape)[warm <= 0][0])
            raise InputError(
                f"MOSFET surface potential PHI at {hot:g} K is {np.min(warm):.3g} V: must be positive; raise PHI or cool it"
            )
        gaps = 0.5 * (band_gap(nominal) - band_gap(kelvin))
        flat = sign * (vto + gaps) - gamma * np.sqrt(phi) + 0.5 * (warm - phi)
        return cls(sign, flat, gamma, warm, kp / (kelvin / nominal) ** 1.5 * over, slope)

    def tangent(self, sensed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drain currents [A], (n,), and their derivatives by drain, gate, source and bulk voltage [S], (n, 4)."""
        drain, gate, source, bulk = (sensed * self.polarity[:, None]).T
        swapped = drain < source
        low = np.where(swapped, drain, source)
        v_ds = np.abs(drain - source)
        root, steepness = self._body(bulk - low)
        above = gate - low - self.flat_threshold - self.body_effect * root
        on = above > 0
        above = np.where(on, above, 0.0)
        linear = v_ds < above
        lengthening = self.gain * (1.0 + self.length_modulation * v_ds)
        triode = v_ds * (above - 0.5 * v_ds)
        half = np.where(linear, triode, 0.5 * above**2)
        current = lengthening * half
        by_gate = lengthening * np.where(linear, v_ds, above)
        by_drain = self.gain * self.length_modulation * half + lengthening * np.where(linear, above - v_ds, 0.0)
        by_bulk = by_gate * self.body_effect * steepness
        by_low = -(by_gate + by_drain + by_bulk)
        # With drain and source in each other's places the current turns, and with it every derivative.
        turn = np.where(swapped, -1.0, 1.0)
        slopes = np.stack(
            [
                np.where(swapped, -by_low, by_drain),
                turn * by_gate,
                np.where(swapped, -by_drain, by_low),
                turn * by_bulk,
            ],
            axis=1,
        )
        return turn * self.polarity * current, slopes

    def _body(self, v_bs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """√(φ − v_BS), and how fast it falls with v_BS [1/√V]."""
        rest = np.sqrt(self.surface_potential)
        reverse = np.sqrt(self.surface_potential - np.minimum(v_bs, 0.0))
        forward = np.maximum(rest - v_bs / (2.0 * rest), 0.0)
        root = np.where(v_bs <= 0, reverse, forward)
        return root, np.where(v_bs <= 0, 0.5 / reverse, np.where(forward > 0, 0.5 / rest, 0.0))

    def threshold(self, sensed: np.ndarray) -> np.ndarray:
        """v_T [V] of gate against the lower of drain and source, (n,), signs turned for a p-channel."""
        drain, _, source, bulk = (sensed * self.polarity[:, None]).T
        return self.flat_threshold + self.body_effect * self._body(bulk - np.minimum(drain, source))[0]

    def limited(self, stood: np.ndarray, sensed: np.ndarray) -> np.ndarray:
        """SPICE's step for field-effect transistors: neither gate nor drain voltage jumps across the regions at once."""
        sign = self.polarity[:, None]
        moved = field_effect_step(stood[:, :3] * sign, sensed[:, :3] * sign, self.threshold(stood))
        return np.concatenate([moved * sign, sensed[:, 3:]], axis=1)


def field_effect_step(before: np.ndarray, after: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Where drain, gate and source may go in one step, (n, 3), signs turned for p-channels; the source goes all the way."""
    drain, gate, source = after.T
    old_drain, old_gate, old_source = before.T
    normal = old_drain >= old_source
    v_gs = np.where(normal, _gate_step(gate - source, old_gate - old_source, threshold), gate - source)
    v_gd = np.where(normal, gate - drain, _gate_step(gate - drain, old_gate - old_drain, threshold))
    v_ds, old = v_gs - v_gd, old_drain - old_source
    v_ds = np.where(normal, _drain_step(v_ds, old), -_drain_step(-v_ds, -old))
    # In reverse the gate is limited against the drain.
    v_gs = np.where(normal, v_gs, v_gd + v_ds)
    return np.stack([source + v_ds, source + v_gs, source], axis=1)


def _gate_step(new: np.ndarray, old: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Where a gate voltage may go in one step (Nagel's rules with the thresholds of SPICE3)."""
    over = np.abs(old - threshold)
    far, near = 2.0 * over + 2.0, over + 1.0
    high = threshold + 3.5
    strongly_on = np.where(
        new <= old,
        np.where(new >= high, np.maximum(new, old - near), np.maximum(new, threshold + 2.0)),
        np.minimum(new, old + far),
    )
    on = np.where(new <= old, np.maximum(new, threshold - 0.5), np.minimum(new, threshold + 4.0))
    off = np.where(
        new <= old,
        np.maximum(new, old - far),
        np.where(new <= threshold + 0.5, np.minimum(new, old + near), threshold + 0.5),
    )
    return np.where(old >= high, strongly_on, np.where(old >= threshold, on, off))


def _drain_step(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Where a drain voltage may go in one step."""
    high = np.where(new > old, np.minimum(new, 3.0 * old + 2.0), np.where(new < 3.5, np.maximum(new, 2.0), new))
    low = np.where(new > old, np.minimum(new, 4.0), np.maximum(new, -0.5))
    return np.where(old >= 3.5, high, low)
