"""Where runs are computed: a device that is not there, or a size that is none, is one line that says what is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrd.options import OptionError
from lrd.spec import Place, SpecError, named_options


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if this machine had so many GPUs; None: as if torch were one without CUDA."""

    def pretend(count: int | None) -> None:
        monkeypatch.setattr("torch.version.cuda", None if count is None else "13.0")
        monkeypatch.setattr("torch.cuda.device_count", lambda: count or 0)
        monkeypatch.setattr("torch.cuda.is_available", lambda: bool(count))

    return pretend


@pytest.mark.parametrize(
    ("count", "device", "meant"),
    [
        (None, "auto", "cpu"),
        (0, "auto", "cpu"),
        (2, "auto", "cuda"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
        (None, "cpu", "cpu"),
    ],
)
def test_a_device_that_is_there(count: int | None, device: str, meant: str, gpus: Any) -> None:
    gpus(count)
    assert Place(device=device).torch_device() == torch.device(meant)


@pytest.mark.parametrize(
    ("count", "device", "said"),
    [
        (None, "cuda", "device: the torch installed here is one without CUDA, got 'cuda'; use device=cpu"),
        (0, "cuda", "device: torch finds no CUDA GPU on this machine, got 'cuda'; use device=cpu"),
        (0, "cuda:0", "device: torch finds no CUDA GPU on this machine, got 'cuda:0'; use device=cpu"),
        (2, "cuda:7", "device: must be one that is there, cuda:0, cuda:1 or cpu, got 'cuda:7'"),
        (2, "gpu", "device: must be auto, cpu, cuda or cuda:N, got 'gpu'"),
        (2, "cuda:-1", "device: must be auto, cpu, cuda or cuda:N, got 'cuda:-1'"),
        (2, "cuda:", "device: must be auto, cpu, cuda or cuda:N, got 'cuda:'"),
    ],
)
def test_a_device_that_is_not_there(count: int | None, device: str, said: str, gpus: Any) -> None:
    gpus(count)
    with pytest.raises(SpecError) as caught:
        Place(device=device).torch_device()
    assert str(caught.value) == said


@pytest.mark.parametrize("size", ["auto", 1, 500])
def test_sizes_of_packs(size: Any) -> None:
    assert Place(pack_size=size).pack_size == size


@pytest.mark.parametrize("size", [0, -3, "all", "8"])
def test_a_size_that_is_none(size: Any) -> None:
    with pytest.raises(OptionError, match=f"must be auto or a number >= 1, got {size!r}"):
        Place(pack_size=size)


def test_a_size_of_another_type_is_one_line() -> None:
    class Named(Place):
        name = "place"

    with pytest.raises(SpecError) as caught:
        named_options({"place": Named}, "here", {"name": "place", "pack_size": 1.5})
    assert str(caught.value).startswith("here.pack_size: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["study", "runs_dir"])
def test_a_folder_that_no_file_system_can_name_is_one_line(option: str) -> None:
    """As été is where the locale has ASCII alone; half a surrogate pair is everywhere."""
    with pytest.raises(OptionError, match="has letters that no file's name has in this locale") as caught:
        Place(**{option: "x\ud800"})
    assert caught.value.key == option
