"""Notes on a netlist: what is passed over, or taken otherwise than its writer may think; one line for each kind."""

from collections.abc import Callable

_SHOWN = 12


class Notes:
    """What is to be told of a netlist, as it is read."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, dict[str, None]]] = {}

    def add(self, what: str, name: str, position: int) -> None:
        """Tell ``what`` of ``name``, such as a card or an option; many names of one ``what`` make one line."""
        self._found.setdefault(what, (position, {}))[1].setdefault(name)

    def lines(self, where: Callable[[int], str]) -> list[str]:
        """``file:line: what: names`` of each kind, at the first of its places."""
        return [
            f"{where(position)}: {what}: {' '.join(list(names)[:_SHOWN])}{' ...' if len(names) > _SHOWN else ''}"
            for what, (position, names) in self._found.items()
        ]
