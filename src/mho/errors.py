"""The errors that mho raises on purpose, each with one clear line for its user."""


class MhoError(Exception):
    """The work failed; the command ends with exit code 1."""


class InputError(MhoError, ValueError):
    """The input is wrong: an option, a file, a netlist; the command ends with exit code 2."""
