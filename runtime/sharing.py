"""How this process shares the machine: what its threads do while they wait, and who goes first. Imports no torch.

A game is the neighbour. torch divides a layer among threads, which meet after each part of it. By default a thread
that arrives first spins for some milliseconds, in the hope that the others are there soon. Beside a game that keeps a
core busy they are not: a spinning thread holds the core that the thread it waits for needs. So threads here sleep
almost at once, and those that make content give way to everyone else.

The OpenMP library reads its settings from the environment when torch loads it, so `runtime` sets them when it is
imported: import it before torch.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import MutableMapping

SPIN_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # of any OpenMP library: an operator's own
SHARED = {
    "GOMP_SPINCOUNT": "1000",  # GNU's library, of torch on Linux: turns of an empty loop, some microseconds
    "KMP_BLOCKTIME": "0",  # LLVM's and Intel's, of torch elsewhere: milliseconds
}
DEDICATED = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # the libraries' own defaults
NICE = 1  # of the threads that make content, on Unix: 0 is a game's, 19 the last of all

FOR_EACH_CORE = 4  # threads at most: more only wait for each other, and a thousand times as many may be all there are


def sleep_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads sleep soon after they begin to wait, unless the environment says something about it already."""
    if not any(name in environment for name in SPIN_VARIABLES):
        environment.update(SHARED)


def spin_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take back what `sleep_while_waiting` set: for a machine that has nothing else to do."""
    if all(environment.get(name) == value for name, value in SHARED.items()):
        environment.update(DEDICATED)


def give_way() -> None:
    """Let the calling thread, and those that it starts from now on, run after a game's. What can't be had is left.

    Linux: the thread's niceness. It counts among the processes of one session; where this process leads its own, as a
    service does, the niceness of the session (sched(7), "autogroup") is raised as well. macOS: the quality of service
    "utility". Windows: the priority class of the whole process, since OpenMP's threads do not inherit a thread's.
    """
    if sys.platform == "linux":
        _give_way_on_linux()
    elif sys.platform == "darwin":
        _give_way_on_macos()
    elif sys.platform == "win32":
        _give_way_on_windows()


def _give_way_on_linux() -> None:
    thread = threading.get_native_id()
    if os.getpriority(os.PRIO_PROCESS, thread) < NICE:
        os.setpriority(os.PRIO_PROCESS, thread, NICE)
    if os.getsid(0) == os.getpid():
        try:
            with open("/proc/self/autogroup", "r+") as group:  # noqa: PTH123  (a file of the kernel's)
                if int(group.read().rpartition(" ")[2]) < NICE:
                    group.seek(0)
                    group.write(str(NICE))
        except (OSError, ValueError):
            return  # a kernel without it, or a container that hides it: the thread's niceness is what there is


def _give_way_on_macos() -> None:
    import ctypes

    utility = 0x11  # QOS_CLASS_UTILITY, sys/qos.h
    ctypes.CDLL(None).pthread_set_qos_class_self_np(utility, 0)


def _give_way_on_windows() -> None:
    import ctypes

    below_normal = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS, winbase.h
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.SetPriorityClass.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)


def most_threads() -> int:
    """The most threads that an engine may be given on this machine."""
    return FOR_EACH_CORE * (os.cpu_count() or 1)


def check_threads(threads: int | None) -> None:
    """Look at a number of threads before any is made; None is left to the engine.

    Raises:
        ValueError: the number is out of range; the message names the range.
    """
    if threads is not None and not 1 <= threads <= most_threads():
        most = f"{most_threads()} ({FOR_EACH_CORE} for each core of this machine)"
        raise ValueError(f"threads {threads} is out of range: 1 to {most}")
