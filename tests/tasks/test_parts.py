from __future__ import annotations

import torch

from lrd.tasks import SPLITS, Stream
from lrd.tasks.parts import PARTS, part_number


def test_numbers_of_parts() -> None:
    seeds = torch.tensor([1, 2])
    assert [int(part_number(Stream(seeds, split, 7))) for split in ("train", "eval", "test")] == [0, 1, 2]
    assert [int(part_number(Stream(seeds, "probe", k))) for k in range(5)] == [3, 4, 5, 3, 4]
    assert part_number(Stream(seeds, "probe", torch.tensor([2, 3]))).tolist() == [[5], [3]]
    assert {int(part_number(Stream(seeds, split, k))) for split in SPLITS for k in range(3)} == set(range(PARTS))
