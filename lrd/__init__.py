"""lrd: the experiment harness for long-term dependencies in recurrent networks."""

import os

__version__ = "0.1.0"

# On some processors MKL, by which torch multiplies matrices, lets the last bits of a product depend on where in memory
# its factors lie, and so on a run's place in a pack. This forbids it, at no cost that could be measured. MKL reads it
# at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO")
