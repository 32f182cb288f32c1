"""A pack in, a trained pack out."""

from lrd.training.loop import Ending, train
from lrd.training.pack import Pack, initial_parameters, split_theta

__all__ = ["Ending", "Pack", "initial_parameters", "split_theta", "train"]
