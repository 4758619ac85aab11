"""The only module that uses torch: it loads models, proves them on this machine, and runs them in its own thread.

To prove a model is to compute its golden vectors. When a model is loaded, its first golden vector is timed in each
precision that is exact in principle. The faster precision is used if it gives the bytes of all golden vectors, else the
other one. If neither does (an instruction set or a library breaks exactness), the engine falls back to float64 and logs
a warning.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from runtime import batching as batches
from runtime import sharing
from runtime.batching import Batch, Batching
from runtime.card import Golden
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile

logger = logging.getLogger(__name__)

T = TypeVar("T")
Argument = NDArray[Any] | int
EXACT_PRECISIONS = (32, 16)  # bits: float32, bfloat16
FALLBACK_PRECISION = 64
PROVED_RUNS = 3  # of each method, at least: TorchScript profiles the first run, and optimises in the second


class Abandoned(Exception):
    """Work was stopped because no caller is left."""


@dataclass(frozen=True)
class Loaded:
    """A model that is loaded: its module, and the precision (bits) of its convolutions."""

    module: Any
    precision: int
    seconds: dict[int, float]  # processor time of the first golden vector, by precision


def make_deterministic() -> None:
    """Turn off what breaks exactness: NNPACK, TF32, split-K in reduced precision, algorithm search, the JIT fuser."""
    torch.backends.nnpack.set_flags(False)  # type: ignore[no-untyped-call]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.jit.set_fusion_strategy([])


class Engine:
    """Runs models on one device, in one thread of its own, one call at a time.

    Args:
        device: "cpu", "cuda" or "auto".
        threads: CPU threads; None: as many as torch chooses.
        models_bytes: memory for models, by their unpacked size. The least recently used ones are unloaded, and loaded
            again when they are needed; at least one stays. None: no limit.
        longest_batch_s: seconds that a run of a batch may take when `choose_batching` measures it; 0: no batches.
        share: whether the engine's threads have a lower priority than other programs, such as a game.

    Raises:
        ValueError: the device is not available, or the number of threads is out of range.
    """

    def __init__(
        self,
        device: str = "auto",
        threads: int | None = None,
        models_bytes: int | None = None,
        longest_batch_s: float = batches.MOST_MS / 1000,
        share: bool = True,
    ) -> None:
        sharing.check_threads(threads)
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"unknown device {device!r}; there are: auto, cpu, cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device 'cuda' was asked for, but this torch sees no CUDA device; use 'cpu'")
        # "auto" is the CPU until exactness on CUDA has been measured: there only the golden vectors vouch for it.
        self.device = torch.device("cuda" if device == "cuda" else "cpu")
        self.share = share
        self._models_bytes, self._longest_batch_s = models_bytes, longest_batch_s
        # Weak keys: a module is dropped with its file, which the registry and the work that waits hold.
        self._loaded: WeakKeyDictionary[ModelFile, Loaded] = WeakKeyDictionary()
        self._used: WeakKeyDictionary[ModelFile, float] = WeakKeyDictionary()
        self._proved: dict[str, tuple[int, dict[int, float]]] = {}  # precision and seconds, by SHA-256
        self._batching: dict[str, Batching] = {}  # by SHA-256
        self._changing = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._abandoned: Callable[[], bool] = _never
        self.submit(self._start, threads).result()

    def _start(self, threads: int | None) -> None:
        if self.share:
            sharing.give_way()  # before torch starts its threads, which inherit the priority
        if threads:
            torch.set_num_threads(threads)
        self._threads = torch.get_num_threads()
        make_deterministic()

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Run a function in the engine's thread, after those submitted before."""
        return self._thread.submit(function, *arguments)

    def run_unless_abandoned(self, function: Callable[[], T], abandoned: Callable[[], bool]) -> T:
        """The result of `function`; its next `run` raises Abandoned once `abandoned()`. In the engine's thread."""
        self._abandoned = abandoned
        try:
            return function()
        finally:
            self._abandoned = _never

    @property
    def loaded(self) -> dict[str, Loaded]:
        """The models in memory, by SHA-256."""
        with self._changing:
            return {model.sha256: loaded for model, loaded in self._loaded.items()}

    def is_proved(self, model: ModelFile) -> bool:
        """Whether a model was proved on this machine. It may be unloaded since."""
        return model.sha256 in self._proved

    def load(self, model: ModelFile) -> Loaded:
        """Load a verified file and prove it on this machine, unless that is done already. In the engine's thread.

        Raises:
            RpcError: MODEL_REFUSED if torch can't read it, or no precision gives the golden vectors.
        """
        if (ready := self._loaded.get(model)) is not None:
            self._used[model] = time.monotonic()
            return ready
        try:
            module = torch.jit.load(io.BytesIO(model.data), map_location=self.device)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise RpcError(Code.MODEL_REFUSED, f"{model.path.name} can't be loaded: {error}") from error
        if not self.is_proved(model):
            self._proved[model.sha256] = self._choose_precision(module, model)
        precision, seconds = self._proved[model.sha256]
        module.use_precision(precision)
        self._make_room(model.unpacked_bytes)
        with self._changing:
            self._loaded[model] = Loaded(module, precision, seconds)
            self._used[model] = time.monotonic()
        return self._loaded[model]

    def _make_room(self, size: int) -> None:
        """Unload the least recently used modules until `size` more bytes fit."""
        while self._models_bytes and self._loaded:
            if size + sum(model.unpacked_bytes for model in self._loaded) <= self._models_bytes:
                return
            oldest = min(self._loaded, key=lambda model: self._used[model])
            logger.info("model %s is unloaded to make room; it is loaded again when it is needed", oldest.card.name)
            with self._changing:
                del self._loaded[oldest]

    def _choose_precision(self, module: Any, model: ModelFile) -> tuple[int, dict[int, float]]:
        """The fastest precision that is exact on this machine, and the processor time of each that was timed."""
        try:
            return self._prove(module, model)
        except (AttributeError, OverflowError, TypeError) as error:  # a card that doesn't fit its module
            raise RpcError(Code.MODEL_REFUSED, f"{model.path.name} does not do what its card says: {error}") from error

    def _prove(self, module: Any, model: ModelFile) -> tuple[int, dict[int, float]]:
        """As `_choose_precision`. RpcError if no precision gives the golden vectors."""
        seconds = {bits: s for bits in EXACT_PRECISIONS if (s := self._time(module, model, bits)) is not None}
        for precision in sorted(seconds, key=lambda bits: seconds[bits]):
            if self._is_golden(module, model, precision):
                timings = ", ".join(f"{bits} bits {1e3 * s:.0f} ms" for bits, s in seconds.items())
                what = "model %s is exact and ready on %s; it runs in %d bits (its first golden vector took: %s)"
                logger.info(what, model.card.name, self.device, precision, timings)
                return precision, seconds
        logger.warning("model %s falls back to float64, which is slow", model.card.name)
        if not self._is_golden(module, model, FALLBACK_PRECISION):
            raise RpcError(
                Code.MODEL_REFUSED,
                f"{model.path.name} does not give its golden vectors on {self.device}, not even in float64",
            )
        return FALLBACK_PRECISION, seconds

    def _time(self, module: Any, model: ModelFile, precision: int) -> float | None:
        """Seconds that the first golden vector takes in one thread; None if this precision gives other bytes.

        On a CPU this is processor time, which does not depend on how busy the machine is.
        """
        first = model.card.golden[0]
        clock = time.thread_time if self.device.type == "cpu" else time.perf_counter
        taken = 0.0
        for _ in range(PROVED_RUNS):
            began = clock()
            found = self._golden(module, model, precision, first, threads=1)
            taken = clock() - began  # of the last run, which is an optimised one
            if not found:
                return None
        return taken

    def _is_golden(self, module: Any, model: ModelFile, precision: int) -> bool:
        """Whether this precision gives all golden vectors in every run."""
        of_method = Counter(golden.method for golden in model.card.golden)
        return all(
            self._golden(module, model, precision, golden)
            for golden in model.card.golden
            for _ in range(-(-PROVED_RUNS // of_method[golden.method]))
        )

    def _golden(
        self, module: Any, model: ModelFile, precision: int, golden: Golden, threads: int | None = None
    ) -> bool:
        """Whether one run in this precision gives a golden vector."""
        module.use_precision(precision)
        try:
            result = self._call(module, model, golden.method, _arguments(golden), threads=threads)
        except RuntimeError as error:  # the device has no kernel for this precision
            logger.warning("model %s can't be run in %d bits: %s", model.card.name, precision, error)
            return False
        if digest(result) == golden.sha256:
            return True
        what = "model %s does not give its golden vectors in %d bits on %s, and is not run so"
        logger.warning(what, model.card.name, precision, self.device)
        return False

    def choose_batching(self, model: ModelFile) -> Batching:
        """Measure larger and larger batches until the time per item no longer falls. In the engine's thread.

        The batches repeat the first item of the first golden vector. Until this is called, nothing runs in batches.
        Errors are those of `load`.
        """
        if (chosen := self._batching.get(model.sha256)) is not None:
            return chosen
        if not self._longest_batch_s:
            return Batching()
        module, golden = self.load(model).module, model.card.golden[0]
        item = [a if isinstance(a, int) else a[:1] for a in _arguments(golden)]
        alone = digest(self._call(module, model, golden.method, item))
        seconds: dict[int, float] = {}
        size = 1
        while size <= batches.LARGEST:
            calls, taken = [item] * size, []
            for _ in range(batches.TRIALS):
                began = time.perf_counter()
                results = self._call(module, model, golden.method, batches.join(calls))
                taken.append(time.perf_counter() - began)
            if any(digest(result) != alone for result in batches.part(results, calls)):
                what = "model %s gives other bytes in a batch of %d than alone: it runs one request at a time"
                logger.warning(what, model.card.name, size)
                seconds = {1: 1.0}
                break
            if size > 1 and min(taken) > self._longest_batch_s:
                break
            seconds[size] = min(taken)
            if size > 1 and seconds[size] > batches.WORTH * 2 * seconds[size // 2]:
                break
            size *= 2
        chosen = self._batching[model.sha256] = batches.choose(seconds)
        each = ", ".join(f"{n}: {1000 * taken / n:.1f}" for n, taken in seconds.items())
        what = "model %s: up to %d requests are run together (ms for each, by how many: %s)"
        logger.info(what, model.card.name, chosen.max_batch_size, each)
        return chosen

    def _call(
        self,
        module: Any,
        model: ModelFile,
        method: str,
        arguments: Sequence[Argument],
        threads: int | None = None,
    ) -> NDArray[Any]:
        most = threads or self._threads
        torch.set_num_threads(min(most, model.card.threads or most))
        tensors = [a if isinstance(a, int) else torch.from_numpy(a).to(self.device) for a in arguments]
        with torch.inference_mode():
            result = getattr(module, method)(*tensors)
        return np.asarray(result) if isinstance(result, int) else result.cpu().numpy()

    def run(self, model: ModelFile, method: str, *arguments: Argument) -> NDArray[Any]:
        """Call a method of a model's module: arrays and integers in, one array out. In the engine's thread.

        Raises:
            Abandoned: nobody waits for the result any more.
            RpcError: as `load`.
        """
        if self._abandoned():
            raise Abandoned
        return self._call(self.load(model).module, model, method, arguments)

    def batch(self, model: ModelFile, method: str, arguments: Sequence[Argument]) -> Batch:
        """How a `run` with these arguments can share a batch. May be called from any thread."""
        return Batch(
            (model.sha256, batches.alike(method, arguments)),
            batches.items(arguments),
            self._batching.get(model.sha256, Batching()),
            arguments,
            lambda calls: batches.part(self.run(model, method, *batches.join(calls)), calls),
        )

    def close(self) -> None:
        """Finish what runs, cancel what waits."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _never() -> bool:
    return False


def _arguments(golden: Golden) -> list[Argument]:
    return [a if isinstance(a, int) else np.array(a, np.int64) for a in golden.arguments]


def digest(result: NDArray[Any]) -> str:
    """Hex SHA-256 of an array's bytes, little-endian, C order."""
    return hashlib.sha256(np.ascontiguousarray(result, result.dtype.newbyteorder("<")).tobytes()).hexdigest()
