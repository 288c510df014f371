"""Netlists with anything in them: families' netlists with edits, and cards put together by a grammar without sense.

What SPICE takes, what it doesn't and what no one would write stand side by side, so that some of these netlists are read,
some solved, and all of them end in one clear line or an operating point.
"""

import zlib
from collections.abc import Callable

import numpy as np

from mho_benchmarks.referee.families import CIRCUITS, netlist_text

Random = np.random.Generator


def _parted(text: str) -> tuple[str, ...]:
    return tuple(piece.strip() for line in text.strip().splitlines() for piece in line.split(" ~ "))


_NUMBERS = _parted("""
    0 ~ -1 ~ 1e308 ~ 1e-308 ~ -1e308 ~ 1e400 ~ 4.9e-324 ~ nan ~ inf ~ -inf ~ 1meg ~ 1mil ~ 1k5 ~ 1e ~ 1e+ ~ --1
    +-1 ~ . ~ 1.2.3 ~ 0x10 ~ 1e-12 ~ 1e12 ~ 1e30 ~ -1e-30 ~ 1u ~ 2.5e13 ~ {k} ~ {1/0} ~ {0*1e400} ~ {ln(-1)}
    {10**400} ~ {a+b} ~ '1+1' ~ {((((1))))} ~ {1 ~ 1} ~ {} ~ {-1**0.5}
""")
_NUMBERS += ("9" * 400, "0." + "0" * 400 + "1")
_CARDS = _parted("""
    .temp 1e200 ~ .temp -300 ~ .temp {t} ~ .temp -273.15 ~ .options gmin=0 ~ .options gmin=-1 ~ .options gmin=1e300
    .options reltol=0 ~ .options temp=1e9 ~ .options tnom=-273.15 ~ .options scale=1e-9 ~ .options foo bar=baz
    .nodeset v(n0)=1e30 ~ .nodeset v(b)=-5 v(a)=nan ~ .ic v(n1)=1 ~ .nodeset v(nowhere)=1 ~ .param k=1
    .param k={k} ~ .param a=b b=a ~ .dc v1 0 1 0.1 ~ .ac dec 10 1 1meg ~ .tran 1n 1u ~ .tran 0 0 ~ .tran 1 1e300
    .noise v(a) v1 ~ .control ~ .endc ~ .measure tran x find v(a) at=1 ~ .print v(a) ~ .save all ~ .probe
    .include nowhere.cir ~ .lib 'x' tt ~ .lib ~ .global vdd ~ .func f(x)={x*2} ~ .func f(x)={f(x)} ~ .if (1)
    .endif ~ .subckt s a b ~ .ends ~ .subckt s ~ x1 a b s ~ x1 s ~ x1 a b s k=1e400 ~ .end ~ .ends s ~ .title t
    .op ~ .step k 1 2 ~ b1 a 0 v={v(a)*v(b)} ~ b1 a 0 i={exp(v(a)*1e3)} ~ b1 a 0 v={v(a)}
    e1 a 0 poly(2) b 0 c 0 1 2 3 ~ g1 a 0 value={v(b)} ~ e1 a 0 table {v(b)} = (0,0) (1,1) ~ l1 a 0 1m ~ l1 a 0 0
    k1 l1 l2 0.9 ~ m1 a b 0 0 nm w=1u l=1u ~ .model nm nmos(level=1) ~ s1 a 0 b 0 sw ~ .model sw sw(vt=0)
    q1 a b 0 qn ~ .model qn npn ~ j1 a b 0 jn ~ t1 a 0 b 0 z0=50 ~ w1 a 0 v1 sw ~ v1 a a 1 ~ r1 a a 1 ~ r1 a 0 0
    c1 a b 1 ~ i1 a b 1 ~ d1 a a d ~ f1 a 0 v1 1 ~ h1 a 0 h1 1 ~ e1 a 0 a 0 1 ~ .model d d(is=0)
    .model d d(is=1e300) ~ .model d d(n=1e-300) ~ .model d d(rs=1e300 bv=1e-300) ~ .model d d( ~ .model d ~ * ~ +
    + 1 2 3 ~ $ comment ~ ; x ~ r1 ~ v ~ x ~ . ~ = ~ ((( ~ {{{
""")
_CARDS += (
    "r1 a\x7f 0 1",
    ".control\nrun\n.endc",
    "v1 a 0 1\nv2 a 0 2",
    "",
    "\t",
    "\x00",
    "é 1 2 3",
    "ré a 0 1",
    "\ufeff",
)
_PIECES = (*"{}()'\",;$*+-/=.0123456789abcdrvxegfhi \n\t^?:<>!&|%\\", "\n+ ", "\n.", "1e", "v(", "i(", "gnd")
_LETTERS, _SELDOM_SEEN = "rrrrccdddvvviieegfhb", "lxmsqjktwa"


def _edited(text: str, random: Random) -> str:
    lines = text.split("\n")
    for _ in range(random.geometric(0.5)):
        at = int(random.integers(1, len(lines))) if len(lines) > 1 else 0
        kind = random.integers(9)
        words = lines[at].split(" ")
        word = int(random.integers(len(words)))
        if kind == 0 and len(lines) > 2:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[int(random.integers(len(lines)))])
        elif kind == 2:
            other = int(random.integers(len(lines)))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind in (3, 4):
            words[word if kind == 3 else -1] = str(random.choice(_NUMBERS))
            lines[at] = " ".join(words)
        elif kind == 5:
            lines.insert(at, str(random.choice(_CARDS)))
        elif kind == 6:
            words[word] = str(random.choice(lines[int(random.integers(len(lines)))].split(" ")))
            lines[at] = " ".join(words)
        elif kind == 7:
            del words[word]
            lines[at] = " ".join(words)
        else:
            place, width = int(random.integers(len(lines[at]) + 1)), int(random.integers(4))
            lines[at] = lines[at][:place] + str(random.choice(_PIECES)) + lines[at][place + width :]
    return "\n".join(lines)


def _sentence(random: Random) -> str:
    """Cards whose letters, nodes and values are drawn one by one: well-formed for the most part, seldom sensible."""
    nodes = [*"abc", "0", "n1", "n2", "gnd"][: int(random.integers(2, 8))]

    def node() -> str:
        return str(random.choice(nodes))

    def value() -> str:
        if random.random() < 0.03:
            return str(random.choice(_NUMBERS))
        return f"{random.choice(['', '', '-'])}{np.exp(random.uniform(-30, 30)):.4g}"

    lines = [
        "* sentence",
        ".model d d" if random.random() < 0.8 else f".model d d(is={value()} n={value()} rs={value()})",
    ]
    letters = list(_LETTERS + (_SELDOM_SEEN if random.random() < 0.2 else ""))
    sources = ["v0"]
    for k in range(random.integers(1, 16)):
        letter = str(random.choice(letters))
        name = f"{letter}{k if random.random() < 0.99 else 0}"
        sources += [name] if letter == "v" else []
        if random.random() < 0.03:
            lines.append(str(random.choice(_CARDS)))
        elif letter == "d":
            lines.append(f"{name} {node()} {node()} d" + (f" {value()}" if random.random() < 0.1 else ""))
        elif letter in "eg":
            lines.append(f"{name} {node()} {node()} {node()} {node()} {value()}")
        elif letter in "fh":
            lines.append(f"{name} {node()} {node()} {sources[int(random.integers(len(sources)))]} {value()}")
        elif letter == "b":
            lines.append(f"{name} {node()} {node()} {random.choice(['v', 'i'])}={{v({node()})*{value()}+{value()}}}")
        else:
            lines.append(f"{name} {node()} {node()} {value()}")
    # Else few of them would have a way to ground for every node.
    lines += [
        f"rg{k} {name} 0 {value()}"
        for k, name in enumerate(nodes)
        if random.random() < 0.8 and name not in ("0", "gnd")
    ]
    return "\n".join([*lines, ".op", ".end", ""])


def _characters(random: Random) -> str:
    return "t\n" + "".join(random.choice(_PIECES, int(random.integers(1, 200))))


def hostile_text(family: str, seed: int) -> str:
    """A netlist of a family of `HOSTILE`."""
    return HOSTILE[family](seed)


def _mutant(family: str) -> Callable[[int], str]:
    def text(seed: int) -> str:
        random = np.random.default_rng([zlib.crc32(b"hostile " + family.encode()), seed])
        # Long netlists cost time and show no more.
        whole = netlist_text(family, seed)
        lines = whole.split("\n")
        return _edited(whole if len(lines) < 200 else "\n".join([*lines[:150], *lines[-4:]]), random)

    return text


def _drawn(name: str, draw: Callable[[Random], str]) -> Callable[[int], str]:
    return lambda seed: draw(np.random.default_rng([zlib.crc32(name.encode()), seed]))


HOSTILE: dict[str, Callable[[int], str]] = {
    "sentences": _drawn("sentences", _sentence),
    "edited sentences": _drawn("edited sentences", lambda random: _edited(_sentence(random), random)),
    "characters": _drawn("characters", _characters),
    **{name: _mutant(name) for name in CIRCUITS},
}
"""Netlists by name of the family, that of `CIRCUITS` whose netlists are edited or a grammar's, and seed."""
