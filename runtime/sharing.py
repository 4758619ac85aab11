"""How this process shares the machine with a game: how its threads wait, and their priority. Imports no torch.

torch divides a layer among threads, which wait for each other after each part. By default a thread that arrives first
spins for some milliseconds, in the hope that the others are ready soon. With a game on the same machine they are not:
the spinning thread holds the core that the other thread needs. So threads here sleep almost at once, and those that
make content have a lower priority than other programs.

The OpenMP library reads its settings from the environment when torch loads it, so `runtime` sets them when it is
imported: import it before torch.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import MutableMapping

SPIN_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # if the operator set one, it stays
SHARED = {
    "GOMP_SPINCOUNT": "1000",  # GNU's library, of torch on Linux: turns of an empty loop, some microseconds
    "KMP_BLOCKTIME": "0",  # LLVM's and Intel's, of torch elsewhere: milliseconds
}
DEDICATED = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # the libraries' own defaults
NICE = 1  # of the threads that make content, on Unix: a game has 0; 19 is the lowest priority

FOR_EACH_CORE = 4  # threads at most: more only wait for each other


def sleep_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make threads sleep soon after they begin to wait, unless `environment` has a setting for it already."""
    if not any(name in environment for name in SPIN_VARIABLES):
        environment.update(SHARED)


def spin_while_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Undo `sleep_while_waiting`, for a machine that runs nothing else."""
    if all(environment.get(name) == value for name, value in SHARED.items()):
        environment.update(DEDICATED)


def give_way() -> None:
    """Lower the priority of the calling thread, and of threads that it starts from now on, as far as possible.

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
    if os.getpriority(os.PRIO_PROCESS, thread) == 0:  # else an operator has decided
        os.setpriority(os.PRIO_PROCESS, thread, NICE)
    if os.getsid(0) == os.getpid():
        try:
            with open("/proc/self/autogroup", "r+") as group:  # noqa: PTH123  (a file of the kernel's)
                if int(group.read().rpartition(" ")[2]) == 0:
                    group.seek(0)
                    group.write(str(NICE))
        except (OSError, ValueError):
            return  # the kernel or container has no autogroup: only the thread's niceness is set


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
    """The most threads that an engine may have on this machine."""
    return FOR_EACH_CORE * (os.cpu_count() or 1)


def check_threads(threads: int | None) -> None:
    """Check a number of threads; with None the engine chooses.

    Raises:
        ValueError: the number is out of range; the message names the range.
    """
    if threads is not None and not 1 <= threads <= most_threads():
        most = f"{most_threads()} ({FOR_EACH_CORE} for each core of this machine)"
        raise ValueError(f"threads {threads} is out of range: 1 to {most}")
