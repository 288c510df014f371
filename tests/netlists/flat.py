"""A flat netlist spelled out again, one plain card an element: what ngspice must solve to the same voltages."""

from mho.netlists import Netlist
from mho.netlists.reading.netlist import Elements


def flat_cards(netlist: Netlist) -> str:
    """Cards without subcircuits, parameters or expressions, every number as its shortest exact decimal."""
    nodes = netlist.nodes
    cards = ["flat"]

    def add(elements: Elements, *columns: list) -> None:
        ends = elements.nodes.tolist()
        for row, name in enumerate(elements.names):
            first, second = ends[row]
            cards.append(" ".join([name, nodes[first], nodes[second], *(str(column[row]) for column in columns)]))

    def controls(elements) -> list[str]:
        return [f"{nodes[first]} {nodes[second]}" for first, second in elements.control_nodes.tolist()]

    add(netlist.resistors, netlist.resistors.resistance.tolist())
    capacitors = netlist.capacitors
    initial = zip(capacitors.initial.tolist(), capacitors.has_initial.tolist(), strict=True)
    add(capacitors, capacitors.capacitance.tolist(), [f"ic={value!r}" if given else "" for value, given in initial])
    diodes = netlist.diodes
    add(
        diodes,
        [f"m{model}" for model in diodes.model.tolist()],
        [f"area={area!r}" for area in diodes.area.tolist()],
        [f"temp={temperature!r}" for temperature in diodes.temperature.tolist()],
    )
    for sources in (netlist.voltage_sources, netlist.current_sources):
        add(sources, sources.dc.tolist())
    for sources in (netlist.vcvs, netlist.vccs):
        add(sources, controls(sources), sources.gain.tolist())
    for sources in (netlist.cccs, netlist.ccvs):
        add(sources, [netlist.branches[branch] for branch in sources.control.tolist()], sources.gain.tolist())
    for number, model in enumerate(netlist.models):
        parameters = {
            "is": model.saturation_current,
            "rs": model.series_resistance,
            "n": model.emission,
            "tt": model.transit_time,
            "cjo": model.junction_capacitance,
            "vj": model.junction_potential,
            "m": model.grading,
            "fc": model.forward_bias,
            "bv": model.breakdown_voltage,
            "ibv": model.breakdown_current,
            "eg": model.activation_energy,
            "xti": model.saturation_exponent,
            "tnom": model.nominal_temperature,
        }
        spelled = " ".join(f"{name}={value!r}" for name, value in parameters.items() if value is not None)
        cards.append(f".model m{number} d({spelled})")
    # Resistances hold at the circuit's temperature already, so the nominal one is the models' alone.
    cards.append(f".options temp={netlist.temperature!r} tnom={netlist.nominal_temperature!r} gmin={netlist.gmin!r}")
    cards.append(".options reltol=1e-9 abstol=1e-15 vntol=1e-12 itl1=1000")
    return "\n".join(cards) + "\n"
