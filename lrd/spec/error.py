"""What is raised for a configuration that is no run."""


class SpecError(ValueError):
    """A configuration that is no run. ``str`` is one line a wrong option, each naming key, rule and way out."""
