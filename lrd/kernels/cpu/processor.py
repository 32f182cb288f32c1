"""What the processor has, as LLVM sees it."""

from __future__ import annotations

import llvmlite.binding

_FEATURES = llvmlite.binding.get_host_cpu_features()
_IS_X86 = "sse2" in _FEATURES
#: Whether it has an instruction for a b + c with one rounding; without one each would be a call of a function.
FUSED = not _IS_X86 or bool(_FEATURES.get("fma"))
#: Whether it has 32 registers of sixteen float32 numbers.
WIDE = bool(_FEATURES.get("avx512f"))
