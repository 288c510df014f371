"""Numbers in engineering units, as people write them: 4.7 kΩ, 12 µS."""

import math

_PREFIXES = dict(zip(range(-18, 15, 3), ("a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T"), strict=True))


def engineering(value: float, unit: str = "", digits: int = 3) -> str:
    """A number, to so many digits, and its unit with the prefix that leaves 1 to 999 before it.

    Without a unit, below 1e-18 and from 1e15 on as `format` writes it.
    """
    if value == 0 or not math.isfinite(value):
        text = f"{value + 0.0:g} {unit}".replace("inf", "∞")
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        power = 3 * (int(exponent) // 3)
        if not unit or power not in _PREFIXES:
            text = f"{value:.{digits}g} {unit}"
        else:
            text = f"{float(mantissa) * 10 ** (int(exponent) - power):.{digits}g} {_PREFIXES[power]}{unit}"
    return text.replace("-", "−").rstrip()
