"""A pack in, a trained pack out."""

from lrd.training.loop import Ending, train
from lrd.training.pack import Pack

__all__ = ["Ending", "Pack", "train"]
