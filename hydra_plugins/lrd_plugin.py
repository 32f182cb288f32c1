"""Hydra's sweeper and launcher of lrd. Hydra imports them at every start, so nothing heavy is imported on top."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class UnionSweeper(BasicSweeper):
    """Hydra's basic sweeper over a union of grids.

    Each entry of ``union`` is swept together with ``params``; what the command line sets beats both. Jobs are not
    composed here, as the basic sweeper does to check them: the launcher composes and lrd checks every one.
    """

    def __init__(self, max_batch_size: int | None, params: Any = None, union: Any = None) -> None:
        super().__init__(max_batch_size, params)
        self.union = list(union or [{}])

    def sweep(self, arguments: list[str]) -> Any:
        """Hand all jobs of all grids to the launcher at once; ``arguments``: overrides of the command line."""
        assert self.hydra_context is not None
        assert self.launcher is not None
        from lrd.sweeps.choices import settle

        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        jobs: list[list[str]] = []
        for grid in self.union:
            swept = [f"{k}={'null' if v is None else v}" for k, v in ({**self.params, **grid}).items()]
            overrides = parser.parse_overrides(swept + arguments)
            for override in overrides:
                settle(override, loader.get_group_options)
            jobs.extend(itertools.chain.from_iterable(self.split_arguments(overrides, None)))
        return self.launcher.launch(jobs, initial_job_idx=0)


class PackLauncher(Launcher):
    """A launcher that composes all jobs of a sweep into lrd's inbox; ``lrd train`` runs them when Hydra is done."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over before ``launch``."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Compose all jobs, and put them into the inbox; nothing is run here.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: The number of the first job, which Hydra gives and nobody needs.

        Raises:
            ValueError: The sweep is empty, or a job's experiment sweeps by itself.
        """
        from lrd.sweeps.choices import check_choices
        from lrd.sweeps.compose import compose_jobs
        from lrd.sweeps.inbox import INBOX

        if not job_overrides:
            raise ValueError("the sweep is empty: one of its options has no values")
        loader, whole = self.hydra_context.config_loader, self.config

        def compose(overrides: list[str]) -> DictConfig:
            config = loader.load_sweep_config(whole, overrides)
            check_choices(config, config.hydra.runtime.choices)
            # As they are written: what they name, such as ${task.gap}, differs from job to job.
            if OmegaConf.to_container(config.hydra.sweeper) != OmegaConf.to_container(whole.hydra.sweeper):
                study = config.hydra.runtime.choices.get("experiment")
                raise ValueError(f"experiment: {study} sweeps by itself; train it alone, experiment={study}")
            return config

        INBOX.configs += compose_jobs(job_overrides, compose, lambda key: bool(loader.get_group_options(key)))
        launcher = OmegaConf.to_container(self.config.hydra.launcher, resolve=True)
        assert isinstance(launcher, dict)
        INBOX.launcher = {str(key): value for key, value in launcher.items() if key != "_target_"}
        return []
