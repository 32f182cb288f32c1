"""What works on this machine, and what does not: the findings of ``lrd doctor``, a module a section.

Nothing here changes how anything is trained, and nothing is asked of a network.
"""

from lrd.doctor.examine import SECTIONS, examine
from lrd.doctor.finding import STATES, Finding
from lrd.doctor.report import as_document, as_text, summary

__all__ = ["SECTIONS", "STATES", "Finding", "as_document", "as_text", "examine", "summary"]
