"""Cards of devices: diodes, inductors and their couplings, switches and transistors.

Source of the forms: ngspice 39 manual, chapters 3, 7, 8 and 11. Where a device begins to look for its operating point
(``off``, ``ic=``) is read and dropped: the circuit is the same.
"""

from mho.errors import InputError
from mho.netlists.reading.fields import keyed, value_of, without_flag, words_of
from mho.netlists.reading.scopes import NOT_GIVEN, QUANTITIES, Scope, Value
from mho.netlists.reading.values import shown


def diode(scope: Scope, text: str, position: int) -> None:
    """Read a D card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, _ = without_flag(words_of(text, nodes=2), 4, "off")
    words, keys = keyed(words, ("area", "m", "temp", "dtemp", "pj", "w", "l", "ic"))
    if len(words) not in (4, 5) or (len(words) == 5 and "area" in keys):
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a diode card is DNAME ANODE CATHODE MODEL [AREA] "
            "[area=] [pj=] [m=] [temp=] [dtemp=] [off]"
        )
    # Where ngspice starts looking, `off` and `ic` say; a diode's law has nothing to do with it.
    keys.pop("ic", None)
    if len(words) == 5:
        keys["area"] = value_of(words[4])
    keys.setdefault("m", 1.0)
    nodes = (scope.node(words[1]), scope.node(words[2]))
    cards = scope.cards_of("d")
    name = scope.named(words[0], position)
    cards.add(name, nodes, tuple(keys.get(key, NOT_GIVEN) for key in QUANTITIES["d"]), position)
    cards.add_model(words[3])


def inductor(scope: Scope, text: str, position: int) -> None:
    """Read an L card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, keys = keyed(words_of(text, nodes=2), ("l", "inductance", *QUANTITIES["l"][1:]))
    given = [keys.pop(key) for key in ("l", "inductance") if key in keys]
    given += [value_of(word) for word in words[3:]]
    if len(words) not in (3, 4) or len(given) != 1:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; an inductor card is LNAME NODE NODE INDUCTANCE [ic=] [m=]"
        )
    values = (given[0], *(keys.get(key, NOT_GIVEN) for key in QUANTITIES["l"][1:]))
    nodes = (scope.node(words[1]), scope.node(words[2]))
    scope.cards_of("l").add(scope.named(words[0], position), nodes, values, position)


def coupling(scope: Scope, text: str, position: int) -> None:
    """Read a K card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, keys = keyed(words_of(text), ("k", "coefficient"))
    given = [*keys.values(), *(value_of(word) for word in words[3:])]
    if len(words) not in (3, 4) or len(given) != 1:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a coupling's card is KNAME LNAME LNAME COEFFICIENT, and one "
            "card couples two inductors"
        )
    cards = scope.cards_of("k")
    cards.add(scope.named(words[0], position), (0, 0), (given[0],), position)
    cards.controls.extend(words[1:3])


def voltage_switch(scope: Scope, text: str, position: int) -> None:
    """Read an S card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    _switch(scope, text, position, controls=2, form="SNAME NODE NODE CONTROL CONTROL MODEL [on|off]")


def current_switch(scope: Scope, text: str, position: int) -> None:
    """Read a W card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    _switch(scope, text, position, controls=1, form="WNAME NODE NODE VSOURCE MODEL [on|off]")


def _switch(scope: Scope, text: str, position: int, controls: int, form: str) -> None:
    words, flags = without_flag(words_of(text, nodes=2 * controls), 4 + controls, "on", "off")
    if len(words) != 4 + controls or "=" in words or len(flags) > 1:
        raise InputError(f"{shown(words[0])} has {len(words) - 1} fields; a switch's card is {form}")
    cards = scope.cards_of(text[0])
    nodes = words[1:5] if controls == 2 else words[1:3]
    name = scope.named(words[0], position)
    cards.add(name, tuple(scope.node(node) for node in nodes), (float("on" in flags),), position)
    if controls == 1:
        cards.controls.append(words[3])
    cards.add_model(words[-1])


def mosfet(scope: Scope, text: str, position: int) -> None:
    """Read an M card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, keys = _device(text, 6, QUANTITIES["m"], ("icvds", "icvgs", "icvbs"))
    if len(words) != 6:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a MOSFET's card is MNAME DRAIN GATE SOURCE BULK MODEL [L=] "
            "[W=] [AD=] [AS=] [PD=] [PS=] [NRD=] [NRS=] [m=] [temp=] [off] [ic=vds,vgs,vbs]"
        )
    drain, gate, source, bulk = (scope.node(node) for node in words[1:5])
    cards = scope.cards_of("m")
    values = tuple(keys.get(key, NOT_GIVEN) for key in QUANTITIES["m"])
    cards.add(scope.named(words[0], position), (drain, source, gate, bulk), values, position)
    cards.add_model(words[5])


def bipolar(scope: Scope, text: str, position: int) -> None:
    """Read a Q card; its model is the last word before an area that is a number.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, keys = _device(text, 5, QUANTITIES["q"], ("icvbe", "icvce"))
    if len(words) > 5 and _is_number(words[-1]):
        if "area" in keys:
            raise InputError(f"{shown(words[0])} gives its area twice; give it once")
        keys["area"] = value_of(words.pop())
    if len(words) not in (5, 6):
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a bipolar transistor's card is QNAME COLLECTOR BASE EMITTER "
            "[SUBSTRATE] MODEL [AREA] [area=] [areab=] [areac=] [m=] [temp=] [off] [ic=vbe,vce]"
        )
    collector, base, emitter, *substrate = (scope.node(node) for node in words[1:-1])
    cards = scope.cards_of("q")
    values = tuple(keys.get(key, NOT_GIVEN) for key in QUANTITIES["q"])
    nodes = (collector, emitter, base, *(substrate or [0]))
    cards.add(scope.named(words[0], position), nodes, values, position)
    cards.add_model(words[-1])


def jfet(scope: Scope, text: str, position: int) -> None:
    """Read a J card.

    Raises:
        InputError: Whatever is wrong with it.
    """
    words, keys = _device(text, 5, QUANTITIES["j"], ("icvds", "icvgs"))
    if len(words) == 6 and "area" not in keys:
        keys["area"] = value_of(words.pop())
    if len(words) != 5:
        raise InputError(
            f"{shown(words[0])} has {len(words) - 1} fields; a JFET's card is JNAME DRAIN GATE SOURCE MODEL [AREA] [area=] "
            "[m=] [temp=] [off] [ic=vds,vgs]"
        )
    drain, gate, source = (scope.node(node) for node in words[1:4])
    cards = scope.cards_of("j")
    values = tuple(keys.get(key, NOT_GIVEN) for key in QUANTITIES["j"])
    cards.add(scope.named(words[0], position), (drain, source, gate), values, position)
    cards.add_model(words[4])


def _is_number(word: str) -> bool:
    return word[0] in "{0123456789.+-"


def _device(
    text: str, first: int, known: tuple[str, ...], starts: tuple[str, ...]
) -> tuple[list[str], dict[str, Value]]:
    """Words and keys of a transistor's card without ``off`` and ``ic=``, which may be a list, and the like."""
    words, _ = without_flag(words_of(text, nodes=3), first, "off")
    if "ic" in words[first:]:
        at = words.index("ic", first)
        end = at + 2
        while end < len(words) and words[end + 1 : end + 2] != ["="]:
            end += 1
        words = words[:at] + words[end:]
    words, keys = keyed(words, (*known, *starts))
    for start in starts:
        keys.pop(start, None)
    return words, keys
