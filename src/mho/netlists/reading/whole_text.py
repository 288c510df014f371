"""A netlist's text with the files that it includes in the places of the cards that include them."""


class WholeText:
    """The text of a netlist and of what it includes, file by file in the order in which they are read."""

    def __init__(self, text: str) -> None:
        self._texts = [text]
        self._sections: list[str | None] = [None]
        self._included: dict[tuple[int, int], int] = {}

    def include(self, file: int, line: int, text: str, section: str | None) -> None:
        """Put the text of a file, or a library's section in lower case, in the place of the card on a line of another."""
        self._included[file, line] = len(self._texts)
        self._texts.append(text)
        self._sections.append(section)

    def joined(self) -> str:
        """All of it as one text that includes nothing: the cards that did are comments, and what they named follows."""
        return self._texts[0] if len(self._texts) == 1 else "\n".join(self._lines(0)) + "\n"

    def _lines(self, file: int) -> list[str]:
        lines: list[str] = []
        section, inside = self._sections[file], self._sections[file] is None
        under_way: int | None = None
        for number, line in enumerate(self._texts[file].removesuffix("\n").split("\n"), 1):
            words = line.lower().split(None, 2) if section is not None and line.lstrip()[:1] == "." else [""]
            if words[0] == ".endl":
                inside = False
            elif words[0] == ".lib" and len(words) == 2:
                inside = words[1].strip("\"'") == section
            elif inside:
                if under_way is not None and not line.lstrip().startswith(("+", "*")):
                    lines += self._lines(under_way)
                    under_way = None
                under_way = self._included.get((file, number), under_way)
                lines.append(line if under_way is None or line.lstrip().startswith("*") else f"* {line}")
        return lines if under_way is None else lines + self._lines(under_way)
