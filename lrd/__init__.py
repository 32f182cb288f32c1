"""lrd: the experiment harness for long-term dependencies in recurrent networks."""

import os

__version__ = "0.1.0"

# On some processors MKL, by which torch multiplies matrices, lets the last bits of a product depend on where in memory
# its factors lie, and so on a run's place in a pack. This forbids it; seen on AMD's Zen 4, where products took the same
# time with it and without. MKL reads it at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO")
