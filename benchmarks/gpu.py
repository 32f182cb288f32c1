"""Packs on a GPU beside the same runs one after another on cuDNN: run-updates a second. Wants torch, triton and numpy.

    python benchmarks/gpu.py [--json FILE] [--minutes 8] [--quick] [--device cpu]          (make bench-gpu)

Adding task, Adam, clipping by norm, strict float32, batch 32; packs of 1, 8, 64 and 256; RNN and LSTM; hidden 32, 64,
128, 256; T = 100, 500, 2000. Columns, in run-updates a second:

cudnn    ``nn.RNN`` or ``nn.LSTM``, ``nn.Linear``, ``torch.optim.Adam(fused=True)``: one run after another, so that the
         number does not depend on the pack; no norms
lrd      a pack as training has it: drawn, recorded as a CUDA graph, with the divergence guard
norms    the same with training.gradient_norms: the norm of dL/dh_t and dL/dc_t of every step and sample at every
         update, summed up on the device (packs of Triton)
flash    ``flashrnn`` heads as runs, forward and backward alone, in bfloat16, by its Triton backend (LSTM) or its CUDA
         one (RNN, for which it has no other); where it is installed and takes the shape
floor    the slowest of: bytes of the states over memory bandwidth, operations over the rate of a matrix product (both
         measured here), and T dependent steps, forward and back, at the least time that one more step of the smallest
         net took: of lrd's pack and of cuDNN's single run

Operations are those that give the same bits again, as training has it by default; what that costs is measured at the
end, by processes of their own, since cuBLAS asks but once. A shape whose states would not fit into half of the memory,
or whose turn comes after ``--minutes``, is left out, by name. ``--device cpu`` with ``--quick`` says whether it runs at
all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a machine may have torch and no lrd installed

import torch

from lrd.cells import LSTM, RNN
from lrd.spec import Adam, RunSpec, Training
from lrd.tasks import Adding
from lrd.training.determinism import repeat_bits
from lrd.training.pack import Pack

BATCH = 32
CELLS = {"rnn": (RNN, torch.nn.RNN, 1), "lstm": (LSTM, torch.nn.LSTM, 4)}
SECONDS = 0.25  # of a measurement
ONE, QUICK_ONE = (500, 64, 64), (10, 8, 2)  # T, hidden and runs of what the same bits are priced at
BITS = ("repeated", "free")
FLASH = {
    "rnn": {"function": "elman", "backend": "cuda_fused"},
    "lstm": {"function": "lstm", "backend": "triton_fused"},
}
PACKAGES = ("numpy", "triton", "flashrnn")
SMI = ("driver_version", "clocks.current.sm", "clocks.max.sm", "clocks.current.memory", "power.limit")
Shape = tuple[str, int, int]  # cell, T, hidden


def timed(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of a call, warm, of as many as fill the time; the median of three such means."""

    def many(count: int) -> float:
        _wait(device)
        start = time.perf_counter()
        for _ in range(count):
            call()
        _wait(device)
        return (time.perf_counter() - start) / count

    for _ in range(3):
        call()
    count = max(1, round(seconds / many(1)))
    return sorted(many(count) for _ in range(3))[1]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def alone(shape: Shape, device: torch.device) -> Callable[[], None]:
    """One run as a plain script would write it, drawn on the device; it waits for nothing."""
    cell, gap, hidden = shape
    body, head = CELLS[cell][1](2, hidden).to(device), torch.nn.Linear(hidden, 1).to(device)
    weights = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, fused=device.type == "cuda")
    rows = torch.arange(BATCH, device=device)

    def update() -> None:
        x = torch.zeros(gap, BATCH, 2, device=device)
        x[..., 0] = torch.rand(gap, BATCH, device=device)
        first = torch.randint(gap // 2, (BATCH,), device=device)
        second = torch.randint(gap // 2, gap, (BATCH,), device=device)
        x[first, rows, 1] = x[second, rows, 1] = 1.0
        target = x[first, rows, 0] + x[second, rows, 0]
        loss = (head(body(x)[0][-1])[:, 0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    return update


def pack(shape: Shape, runs: int, device: torch.device, norms: bool = False) -> Callable[[], None]:
    """A pack of lrd's, recorded where there is a GPU."""
    cell, gap, hidden = shape
    training = Training(batch_size=BATCH, gradient_norms=norms)
    made = [
        RunSpec(Adding(gap=gap), CELLS[cell][0](hidden_size=hidden), Adam(), training, (), seed) for seed in range(runs)
    ]
    return Pack(made, device).step


def flash(shape: Shape, runs: int, device: torch.device) -> Callable[[], None]:
    """The recurrence of all runs as heads of flashrnn, forward and back."""
    from flashrnn import flashrnn

    cell, gap, hidden = shape
    gates, states = CELLS[cell][2], 2 if cell == "lstm" else 1
    options: dict[str, Any] = {"device": device, "dtype": torch.bfloat16, "requires_grad": True}
    x = torch.randn(BATCH, gap, gates, runs, hidden, **options)
    w, b = torch.randn(gates, runs, hidden, hidden, **options), torch.randn(gates, runs, hidden, **options)
    start = torch.zeros(states, BATCH, 1, runs, hidden, device=device, dtype=torch.bfloat16)

    def update() -> None:
        found, _ = flashrnn(x, w, b, states=start, **FLASH[cell])
        torch.autograd.grad(found[0][:, -1].sum(), (x, w, b))

    return update


class Limits:
    """Bandwidth [bytes/s], arithmetic [operations/s], time of a dependent step there and back [s]; measured here."""

    def __init__(self, device: torch.device, quick: bool) -> None:
        size = 2**22 if quick else 2**28
        source = torch.zeros(size, device=device)
        self.bytes = 8 * size / timed(lambda: source.clone(), device, 0.1)
        side = 256 if quick else 4096
        a = torch.rand(side, side, device=device)
        self.operations = 2 * side**3 / timed(lambda: a @ a, device, 0.1)
        few, more = (10, 30) if quick else (500, 1500)

        def one_more_step(update: Callable[[Shape], Callable[[], None]]) -> float:
            """There and back; what an update takes whatever its length is not in it."""
            seconds = [timed(update(("rnn", gap, 16)), device, 0.1) for gap in (few, more)]
            return max(0.0, (seconds[1] - seconds[0]) / (more - few))

        both = (lambda shape: pack(shape, 2, device), lambda shape: alone(shape, device))
        self.step = min(map(one_more_step, both))

    def floor(self, shape: Shape, runs: int) -> float:
        """Seconds that an update of so many runs takes at least."""
        cell, gap, hidden = shape
        gates = CELLS[cell][2]
        products = 3 * 2 * runs * gap * BATCH * gates * hidden * (hidden + 2)
        moved = 4 * runs * gap * BATCH * hidden * (3 * gates + 3)  # gates and states written, read, their gradients
        return max(products / self.operations, moved / self.bytes, gap * self.step)


def shapes(quick: bool) -> Iterator[Shape]:
    """Every shape of the table, the longest last."""
    gaps, sizes = ((10,), (8,)) if quick else ((100, 500, 2000), (32, 64, 128, 256))
    for gap in gaps:
        for hidden in sizes:
            for cell in CELLS:
                yield cell, gap, hidden


def row(shape: Shape, runs: int, one: float, limits: Limits, device: torch.device, seconds: float) -> dict[str, Any]:
    """A row of the table: what could not be done is None, with the reason under its name and ``_why``."""
    cell, gap, hidden = shape
    found: dict[str, Any] = {"cell": cell, "T": gap, "hidden": hidden, "runs": runs, "cudnn": 1 / one}
    contenders: dict[str, Callable[[], Callable[[], None]]] = {"lrd": lambda: pack(shape, runs, device)}
    if device.type == "cuda" and runs > 1:
        contenders["norms"] = lambda: pack(shape, runs, device, norms=True)
        contenders["flash"] = lambda: flash(shape, runs, device)
    for name, make in contenders.items():
        try:
            found[name] = runs / timed(make(), device, seconds)
        except Exception as error:  # another's kernel, or memory: the table goes on and says why
            found[name], found[f"{name}_why"] = None, f"{type(error).__name__}: {error}".splitlines()[0][:120]
        if device.type == "cuda":
            torch.cuda.empty_cache()
    found["floor"] = runs / limits.floor(shape, runs)
    return found


def fits(shape: Shape, runs: int, device: torch.device) -> bool:
    """Whether what an update keeps fits into half of the memory."""
    cell, gap, hidden = shape
    kept = 4 * runs * gap * BATCH * hidden * (3 * CELLS[cell][2] + 3)
    return device.type != "cuda" or kept < torch.cuda.get_device_properties(device).total_memory / 2


def seconds_of_one(device: torch.device, quick: bool) -> dict[str, float]:
    """Seconds of an update of the pack ``ONE`` of either cell."""
    gap, hidden, runs = QUICK_ONE if quick else ONE
    return {
        cell: timed(pack((cell, gap, hidden), runs, device), device, 0.01 if quick else 4 * SECONDS) for cell in CELLS
    }


def price_of_bits(device: torch.device, quick: bool) -> dict[str, float]:
    """By cell, seconds of an update that repeats its bits over those of one that need not."""
    found: dict[str, dict[str, float]] = {}
    for bits in BITS:
        command = [sys.executable, __file__, "--one", "--bits", bits, "--device", str(device), *["--quick"] * quick]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[bits] = json.loads(done.stdout)
    return {cell: found["repeated"][cell] / found["free"][cell] for cell in CELLS}


def about_device(device: torch.device) -> dict[str, Any]:
    """What the table was measured on: the device, its clocks, and versions; None: not installed, or not reported."""
    about: dict[str, Any] = {"device": str(device), "torch": torch.__version__, "cuda": torch.version.cuda}
    about |= {name: _version(name) for name in PACKAGES}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about |= {"device": properties.name, "capability": f"{properties.major}.{properties.minor}"}
        about |= {"processors": properties.multi_processor_count, "cudnn": torch.backends.cudnn.version()}
        about |= dict.fromkeys(SMI) | _smi(str(getattr(properties, "uuid", "")))
    return about


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _smi(uuid: str) -> dict[str, str]:
    """Clocks and the driver, as NVIDIA's own tool reports them while the device is at work."""
    chosen = ["--id", f"GPU-{uuid}"] if uuid else []
    command = ["nvidia-smi", *chosen, "--query-gpu=" + ",".join(SMI), "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in done.stdout.splitlines()[0].split(",")]
    return dict(zip(SMI, values, strict=False))


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the table with device and versions")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ...")
    parser.add_argument("--minutes", type=float, default=8.0, help="shapes whose turn comes later are left out")
    parser.add_argument("--bits", choices=BITS, default="repeated", help="of operations: the same each time, or not")
    parser.add_argument("--one", action="store_true", help="only the seconds of an update that bits are priced at")
    parser.add_argument("--quick", action="store_true", help="one small shape: does it run at all")
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("bench-gpu: this machine has no CUDA GPU that torch can use; make bench-pack measures packs on a CPU")
    repeat_bits(device, given.bits == "repeated")
    if given.one:
        print(json.dumps(seconds_of_one(device, given.quick)))
        return
    until = time.monotonic() + 60 * given.minutes
    seconds = 0.01 if given.quick else SECONDS
    limits = Limits(device, given.quick)
    about = about_device(device)  # right behind work, so that the clocks are those of work
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    rates = f"{limits.bytes / 1e9:.0f} GB/s, {limits.operations / 1e12:.2f} TFLOP/s"
    print(f"{rates}, {1e6 * limits.step:.2f} us a step and back")
    columns = ("cudnn", "lrd", "norms", "flash", "floor")
    print("run-updates a second\n\n| cell | T | hidden | runs | " + " | ".join(columns) + " | lrd/cudnn | norms cost |")
    print("| " + " | ".join(["---"] * 11) + " |")
    rows: list[dict[str, Any]] = []

    def keep(**more: object) -> None:
        """Write what there is so far: who is stopped has the rows before."""
        if given.json:
            table = {"about": about, "limits": vars(limits), "rows": rows} | more
            given.json.write_text(json.dumps(table, indent=1) + "\n")

    for shape in shapes(given.quick):
        if time.monotonic() > until:
            print(f"| {' | '.join(map(str, shape))} | all | left out: more than {given.minutes:g} minutes had gone |")
            continue
        one = timed(alone(shape, device), device, seconds)
        for runs in (1, 2) if given.quick else (1, 8, 64, 256):
            if not fits(shape, runs, device):
                print(f"| {' | '.join(map(str, (*shape, runs)))} | left out: does not fit into half of the memory |")
                continue
            rows.append(row(shape, runs, one, limits, device, seconds))
            print(_line(rows[-1], columns), flush=True)
            keep()
    for name, why in sorted({(name, r[name]) for r in rows for name in r if name.endswith("_why")}):
        print(f"{name.removesuffix('_why')} is left out in places: {why}")
    price = price_of_bits(device, given.quick)
    price_text = ", ".join(f"{cell} {100 * (ratio - 1):+.0f} %" for cell, ratio in price.items())
    of = ", ".join(map(str, QUICK_ONE if given.quick else ONE))
    print(f"the same bits again, time of an update (T, hidden, runs: {of}): {price_text}")
    keep(bits=price)


def _line(found: dict[str, Any], columns: tuple[str, ...]) -> str:
    cells = [str(found[name]) for name in ("cell", "T", "hidden", "runs")]
    cells += ["-" if found.get(name) is None else f"{found[name]:.0f}" for name in columns]
    lrd, norms = found.get("lrd"), found.get("norms")
    cells.append("-" if lrd is None else f"{lrd / found['cudnn']:.1f}")
    cells.append("-" if lrd is None or norms is None else f"{100 * (lrd / norms - 1):.0f} %")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
