"""Thousands of random circuits, by family: how often mho, ngspice and 60 digits agree, and who was wrong where they don't.

ngspice runs with the tolerances of `mho.ngspice.simulator`, and where it finds nothing so once more with its own: that
is what its user gets. mho is asked as `mho solve` asks it. Each circuit is `mho bench referee --families FAMILY --seed SEED
--samples 1`, and `mho_benchmarks.referee.families.netlist_text` gives its netlist.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from mho.errors import InputError, MhoError
from mho.netlists import parse_netlist
from mho.ngspice.simulator import SpiceOperatingPoint, operating_points
from mho_benchmarks.referee.families import CIRCUITS, netlist_text

LIMIT = 30.0
"""Seconds for a circuit, mho's and ngspice's."""
_TOGETHER = 50
_LISTED = 5
_TOLD = {"difference": "difference", "mho off by": "error", "of its bound": "of_bound", "ngspice": "ngspice_error"}

Row = dict[str, Any]


def measure(samples: int = 100, seed: int = 0, families: Sequence[str] = ()) -> list[Row]:
    """A row a family: counts of verdicts, of differences by decade and of reasons, and the cases to look at.

    Args:
        samples: circuits of each family.
        seed: of the first; the others follow.
        families: names; all of them if none is given.

    Raises:
        InputError: an unknown family, no circuit, no ngspice, or no mpmath.
    """
    names = chosen_families(families, CIRCUITS, samples, seed)
    try:
        import mpmath  # noqa: F401
    except ImportError as problem:
        raise InputError("mho bench referee needs mpmath; pip install 'mho[referee]'") from problem
    return [_family_row(name, range(seed, seed + samples)) for name in names]


def chosen_families(families: Sequence[str], known: Iterable[str], samples: int, seed: int) -> list[str]:
    """The families that are named, or all that are known; checks the other options of drawing, too.

    Raises:
        InputError: an unknown family, no sample, or a negative seed.
    """
    known = list(known)
    for name in families:
        if name not in known:
            raise InputError(f"--families: unknown family {name!r}: known are {', '.join(known)}")
    if samples < 1:
        raise InputError(f"--samples {samples}: must be at least 1")
    if seed < 0:
        raise InputError(f"--seed {seed}: must not be negative")
    return list(families) or known


def _family_row(family: str, seeds: range) -> Row:
    from mho_benchmarks.referee.judgement import VERDICTS

    judged = []
    for first in range(seeds.start, seeds.stop, _TOGETHER):
        judged += _judged(family, range(first, min(first + _TOGETHER, seeds.stop)))
    counts = Counter(j.verdict for j in judged)
    slowest = max(judged, key=lambda j: j.seconds)
    return {
        "family": family,
        "circuits": len(judged),
        "verdicts": {verdict: counts[verdict] for verdict in VERDICTS},
        "differences": _decades([j.difference for j in judged]),
        "errors": _decades([j.error for j in judged]),
        "bounds": sum(j.of_bound is not None for j in judged),
        "bounds_broken": sum(_is_broken(j) for j in judged),
        "refusals": dict(Counter(_told(j.told) for j in judged if j.verdict in ("mho refused", "both refused"))),
        "slowest_seconds": slowest.seconds,
        "slowest_seed": slowest.seed,
        "cases": [
            _case(j) for j in judged if j.verdict not in ("agreed", "ngspice refused", "both refused") or _is_broken(j)
        ],
    }


def _is_broken(judged: Any) -> bool:
    return judged.of_bound is not None and judged.of_bound > 1


def _case(judged: Any) -> Row:
    """A judgement and its netlist; what is not finite by name, which JSON has no number for."""
    case = {key: str(v) if isinstance(v, float) and not math.isfinite(v) else v for key, v in asdict(judged).items()}
    return {**case, "netlist": netlist_text(judged.family, judged.seed)}


def _judged(family: str, seeds: range) -> list[Any]:
    from mho_benchmarks.referee.judgement import Answer, ask_mho, judge

    texts = [netlist_text(family, seed) for seed in seeds]
    netlists = [parse_netlist(text, f"{family} {seed}") for text, seed in zip(texts, seeds, strict=True)]
    cases = [(text, netlist.gmin) for text, netlist in zip(texts, netlists, strict=True)]
    theirs: list[SpiceOperatingPoint | MhoError] = list(operating_points(cases, timeout=LIMIT))
    failed = [k for k, point in enumerate(theirs) if isinstance(point, MhoError)]
    again = operating_points([cases[k] for k in failed], timeout=LIMIT, spice_defaults=True)
    for k, point in zip(failed, again, strict=True):
        theirs[k] = point
    answers: list[Answer] = [ask_mho(netlist, LIMIT) for netlist in netlists]
    return [judge(family, *case) for case in zip(seeds, netlists, answers, theirs, strict=True)]


def _decades(differences: Sequence[float | None]) -> dict[str, int]:
    """Counts by decade: "-16" is 1e-16 or below, "inf" what is not finite."""
    counts: Counter[str] = Counter()
    for value in differences:
        if value is not None:
            decade = math.inf if not math.isfinite(value) else math.ceil(math.log10(max(value, 1e-16)))
            counts[str(decade)] += 1
    return dict(sorted(counts.items(), key=lambda item: float(item[0])))


def _told(reason: str) -> str:
    """A refusal without its numbers, so that equal ones count together."""
    words = ("#" if any(c.isdigit() for c in word) else word for word in reason.split())
    return " ".join(words)[:160]


def table(rows: Sequence[Row]) -> list[str]:
    """Lines to print: counts a family, then what to look at, mho's own errors first."""
    heads = ("agreed", "ngspice wrong", "ngspice refused", "another point", "both refused")
    heads += ("mho refused", "mho wrong", "not judged")
    wrapped = [head.split(" ") if " " in head else ["", head] for head in heads]
    lines = [
        f"{'':<20}" + "".join(f"{above:>9}" for above, _ in wrapped) + f"{'largest':>10}{'slowest':>10}{'bounds':>9}",
        f"{'family':<20}" + "".join(f"{below:>9}" for _, below in wrapped) + f"{'error':>10}{'[s]':>10}{'broken':>9}",
    ]
    for row in rows:
        worst = list(row["errors"])[-1:] or ["-"]
        lines.append(
            f"{row['family']:<20}"
            + "".join(f"{row['verdicts'][head]:>9}" for head in heads)
            + f"{'1e' + worst[0] if worst[0] not in ('-', 'inf') else worst[0]:>10}{row['slowest_seconds']:>10.3g}"
            + f"{row['bounds_broken'] if row['bounds'] else '-':>9}"
        )
    total = {head: sum(row["verdicts"][head] for row in rows) for head in heads}
    broken = sum(row["bounds_broken"] for row in rows)
    lines.append(f"{'all':<20}" + "".join(f"{total[head]:>9}" for head in heads) + f"{broken:>29}")
    kinds: dict[str, Callable[[Row], bool]] = {
        "mho wrong": lambda case: case["verdict"] == "mho wrong",
        "bound broken": lambda case: case["of_bound"] is not None and float(case["of_bound"]) > 1,
        **{
            verdict: lambda case, verdict=verdict: case["verdict"] == verdict
            for verdict in ("not judged", "mho refused", "another point", "ngspice wrong")
        },
    }
    for kind, belongs in kinds.items():
        for row in rows:
            found = [case for case in row["cases"] if belongs(case)]
            for case in found[:_LISTED]:
                told = ", ".join(
                    f"{name} {float(case[key]):.2g}" for name, key in _TOLD.items() if case[key] is not None
                )
                lines.append(f"{kind}: {row['family']} {case['seed']}: {told} {case['told']}".rstrip(" :"))
            if len(found) > _LISTED:
                lines.append(f"{kind}: {row['family']}: {len(found) - _LISTED} more")
    return lines
