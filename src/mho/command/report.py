"""What the command says on standard error."""


def one_line(problem: BaseException | str) -> str:
    """The text of an error in one line; an OSError by its file and reason."""
    if isinstance(problem, OSError) and problem.strerror:
        named = f"{problem.filename}: " if problem.filename else ""
        return f"{named}{problem.strerror}"
    return " ".join(str(problem).split())
