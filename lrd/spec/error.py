"""The error of configurations that describe no run."""


class SpecError(ValueError):
    """A configuration that describes no run. Its text is one line a wrong option: key, rule and way out."""
