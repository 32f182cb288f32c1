"""The entry of a SLURM job: holds back its signals, then becomes the program that the arguments name.

SLURM's notices (USR2 near the time limit, TERM when preempted) kill a process that does not expect them, and a job
imports for seconds before it could. Held back from its first milliseconds on, by a mask that the new program inherits,
they wait until ``lrd.sweeps.slurm_job`` looks for them. Run as a file, by a Python that imports nothing else.
"""

import os
import signal
import sys

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
    os.execv(sys.executable, [sys.executable, "-P", *sys.argv[1:]])  # -P: import nothing from the current folder
