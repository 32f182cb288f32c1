"""Many runs: from Hydra's jobs to packs, workers, progress and tables."""
