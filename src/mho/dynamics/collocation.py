"""Radau's collocation of order 5: the implicit method that circuits are integrated by.

On a step from t to t + h the charges follow the polynomial of degree 3 that starts at Q(y(t)) and obeys the circuit's
laws at t + c_i h, for the three points of Radau's quadrature. With Z_i = Q(Y_i) − Q(y(t)) and W the inverse of the
method's matrix A, the charging currents there are (1/h) Σ_j W_ij Z_j, so Kirchhoff's laws read

    F(Y_i) + (1/h) Σ_j W_ij (Q(Y_j) − Q(y(t))) = r(t + c_i h),    i = 1, 2, 3.

Nothing of the past enters but the charges: a step may begin at a corner of a source. The last stage is the step's end.
The method is L-stable, and of order 5 at the ends of steps, also for differential-algebraic equations of index 1.
Source: Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd ed., sections IV.5, IV.8 (its error estimate)
and VI.1.
"""

import numpy as np

_ROOT6 = np.sqrt(6.0)
STAGES = 3
POINTS = np.array([(4.0 - _ROOT6) / 10.0, (4.0 + _ROOT6) / 10.0, 1.0])
"""c, the stages' times as shares of the step."""
_A = np.array(
    [
        [(88.0 - 7.0 * _ROOT6) / 360.0, (296.0 - 169.0 * _ROOT6) / 1800.0, (-2.0 + 3.0 * _ROOT6) / 225.0],
        [(296.0 + 169.0 * _ROOT6) / 1800.0, (88.0 + 7.0 * _ROOT6) / 360.0, (-2.0 - 3.0 * _ROOT6) / 225.0],
        [(16.0 - _ROOT6) / 36.0, (16.0 + _ROOT6) / 36.0, 1.0 / 9.0],
    ]
)
INVERSE = np.linalg.inv(_A)
"""W = A⁻¹."""
FILTER = float(np.real(np.linalg.eigvals(INVERSE)[np.argmin(np.abs(np.imag(np.linalg.eigvals(INVERSE))))]))
"""The real eigenvalue of W, γ₀⁻¹."""
ESTIMATE = np.array([-13.0 - 7.0 * _ROOT6, -13.0 + 7.0 * _ROOT6, -1.0]) / 3.0
"""e: with the currents at the step's beginning, (1/h) Σ e_i Z_i is what an embedded method of order 3 leaves over."""

_FROM_VALUES = np.linalg.inv(np.append(0.0, POINTS)[:, None] ** np.arange(STAGES + 1))
"""Coefficients of 1, s, s², s³ in the collocation polynomial, of the values at the step's beginning and its stages."""


def interpolation(shares: np.ndarray) -> np.ndarray:
    """Weights of the step's beginning and its stages in the collocation polynomial.

    Args:
        shares: times from the step's beginning, as shares of it, (times,); beyond 1 it extrapolates.

    Returns:
        (times, 1 + STAGES).
    """
    return np.asarray(shares)[:, None] ** np.arange(STAGES + 1) @ _FROM_VALUES


def interpolated_rates(shares: np.ndarray) -> np.ndarray:
    """As `interpolation`, for the polynomial's derivative by the share of the step."""
    powers = np.arange(1, STAGES + 1)
    return powers * np.asarray(shares)[:, None] ** (powers - 1) @ _FROM_VALUES[1:]


def interpolated_integrals(shares: np.ndarray) -> np.ndarray:
    """As `interpolation`, for the polynomial's integral from the step's beginning, over the share of the step."""
    powers = np.arange(1, STAGES + 2)
    return np.asarray(shares)[:, None] ** powers / powers @ _FROM_VALUES


TOTAL = interpolated_integrals(np.ones(1))[0]
"""`interpolated_integrals` of the whole step; Radau's quadrature gives its beginning no weight."""
