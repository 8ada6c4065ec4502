"""The system-call filter of both architectures, run by a small BPF interpreter: no kernel needed."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from autograder.sandbox import seccomp
from autograder.sandbox.seccomp import ALLOW, ERRNO, KILL_PROCESS, Instruction
from autograder.sandbox.syscalls import HIGHEST_KNOWN, NUMBERS

PID = 4711
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
MACHINES = list(NUMBERS)


def interpret(code: list[Instruction], number: int, architecture: int, *args: int) -> int:
    """What the kernel would answer to one system call."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *args, *([0] * (6 - len(args))))
    accumulator, position = 0, 0
    while True:
        operation, yes, no, value = code[position]
        position += 1
        match operation:
            case seccomp.LOAD:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case seccomp.MASK:
                accumulator &= value
            case seccomp.RETURN:
                return value
            case seccomp.EQUAL:
                position += yes if accumulator == value else no
            case seccomp.AT_LEAST:
                position += yes if accumulator >= value else no
            case seccomp.ANY_BIT:
                position += yes if accumulator & value else no
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


@pytest.fixture(params=MACHINES)
def call(request: pytest.FixtureRequest):
    """`call("kill", 1, 9)` -> the filter's answer; skips names that the architecture doesn't have."""
    machine = request.param
    code = seccomp.program(machine, PID)

    def answer(name: str | int, *args: int, architecture: int = seccomp.AUDIT_ARCHITECTURE[machine]) -> int:
        number = NUMBERS[machine].get(name, -1) if isinstance(name, str) else name
        if number < 0:
            pytest.skip(f"{machine} has no {name}")
        return interpret(code, number, architecture, *args)

    answer.machine = machine
    return answer


@pytest.mark.parametrize("machine", MACHINES)
def test_program_is_well_formed(machine: str) -> None:
    """Every path ends in a return, no jump leaves the program, and it is within the kernel's limit."""
    code = seccomp.program(machine, PID)
    assert len(code) <= 4096
    assert len(seccomp.assemble(code)) == 8 * len(code)
    for position, instruction in enumerate(code):
        assert 0 <= instruction.yes <= 255 and 0 <= instruction.no <= 255
        if instruction.code != seccomp.RETURN:
            assert position + 1 + max(instruction.yes, instruction.no) < len(code)
    assert code[-1].code == seccomp.RETURN


@pytest.mark.parametrize("name", ["read", "write", "mmap", "futex", "exit_group", "getrandom", "newfstatat"])
def test_ordinary_calls_are_allowed(call, name: str) -> None:
    assert call(name) == ALLOW


_REFUSED = """
    execve execveat fork vfork socket connect bind sendmsg recvmsg ptrace process_vm_readv
    process_vm_writev bpf io_uring_setup io_uring_enter io_uring_register userfaultfd memfd_create
    memfd_secret keyctl unshare setns mount chroot pivot_root perf_event_open personality tkill
    rt_sigqueueinfo pidfd_open pidfd_getfd setuid setsid capset seccomp setpriority sched_setscheduler
    sched_setaffinity setrlimit shmget mq_open timer_create timerfd_create truncate rename mkdir unlink
    link symlink chmod creat mkdirat unlinkat renameat2 process_madvise landlock_create_ruleset
    mount_setattr setsockopt inotify_init inotify_init1 fadvise64 preadv2 pwritev2 mincore flock
    getrusage sysinfo
"""


@pytest.mark.parametrize("name", _REFUSED.split())
def test_reaching_out_is_refused(call, name: str) -> None:
    assert call(name) == EPERM


def test_hidden_arguments_look_like_an_old_kernel(call) -> None:
    assert call("clone3") == ENOSYS
    assert call("openat2") == ENOSYS
    assert call(HIGHEST_KNOWN + 1) == ENOSYS
    assert call(10**6) == ENOSYS


def test_threads_but_no_processes(call) -> None:
    thread = 0x3D0F00  # what pthread_create asks for
    assert call("clone", thread) == ALLOW
    assert call("clone", 17) == EPERM  # SIGCHLD: fork
    assert call("clone", thread | 0x10000000) == EPERM  # CLONE_NEWUSER
    assert call("clone", thread | 0x00020000) == EPERM  # CLONE_NEWNS


def test_signals_to_itself_only(call) -> None:
    for name in ("kill", "tgkill"):
        assert call(name, PID, 9) == ALLOW
        for other in (1, PID + 1, 0, 2**32 - 1):
            assert call(name, other, 9) == EPERM


def test_limits_are_read_not_set(call) -> None:
    assert call("prlimit64", 0, 9, 0, 1) == ALLOW
    assert call("prlimit64", PID, 9, 0, 1) == ALLOW
    assert call("prlimit64", 1, 9, 0, 1) == EPERM
    assert call("prlimit64", 0, 9, 0x7FFF0000, 0) == EPERM
    assert call("prlimit64", 0, 9, 1 << 40, 0) == EPERM  # a pointer whose low half is zero


def test_opening_may_not_truncate_by_reading(call) -> None:
    assert call("openat", 0, 0, 0) == ALLOW
    assert call("openat", 0, 0, 0o1001) == ALLOW  # for writing: left to Landlock
    assert call("openat", 0, 0, 0o1000) == EPERM


def test_mappings_are_private(call) -> None:
    assert call("mmap", 0, 4096, 3, 0x22) == ALLOW
    assert call("mmap", 0, 4096, 1, 0x02) == ALLOW
    for shared in (0x21, 0x01, 0x03, 0x23):
        assert call("mmap", 0, 4096, 3, shared) == EPERM


def test_commands_of_fcntl_madvise_ioctl_prctl(call) -> None:
    assert call("fcntl", 3, 3) == ALLOW
    for command in (
        8,
        10,
        15,
        1024,
        1025,
        1026,
        1031,
    ):  # F_SETOWN, F_SETSIG, F_SETOWN_EX, leases, notify, pipe size
        assert call("fcntl", 3, command) == EPERM
    for command in (5, 6, 7, 36, 37, 38):  # locks: of the process, of an open file
        assert call("fcntl", 3, command) == EPERM
    for advice in (4, 8, 14):  # DONTNEED, FREE, HUGEPAGE: what allocators say
        assert call("madvise", 0, 4096, advice) == ALLOW
    for advice in (3, 12, 20, 21, 22, 23, 25):  # WILLNEED, MERGEABLE, COLD, PAGEOUT, POPULATE_*, COLLAPSE
        assert call("madvise", 0, 4096, advice) == EPERM
    assert call("ioctl", 0, 0x5401) == ALLOW
    assert call("ioctl", 0, 0x5412) == EPERM  # TIOCSTI types into a terminal
    assert call("prctl", 15) == ALLOW
    for option in (4, 22, 23, 24, 38, 59):  # dumpable, seccomp, capabilities, no_new_privs, user dispatch
        assert call("prctl", option) == EPERM


def test_clocks_of_no_other_process(call) -> None:
    for name in ("clock_gettime", "clock_getres", "clock_nanosleep"):
        for clock in (0, 1, 2, 3, 4, 7):  # the time, and its own CPU
            assert call(name, clock) == ALLOW
        for pid in (PID, PID + 1):
            assert call(name, (~pid << 3 | 2) & 0xFFFFFFFF) == EPERM


def test_local_socket_pairs_only(call) -> None:
    assert call("socketpair", 1) == ALLOW
    assert call("socketpair", 16) == EPERM  # netlink
    assert call("sendto", 3, 0, 0, 0, 0) == ALLOW
    assert call("sendto", 3, 0, 0, 0, 0x7FFF0000) == EPERM
    assert call("sendto", 3, 0, 0, 0, 1 << 40) == EPERM


def test_other_architectures_are_killed(call) -> None:
    for architecture in (0x40000003, 0x40000028, 0):  # i386, arm
        assert call(0, architecture=architecture) == KILL_PROCESS
    if call.machine == "x86_64":
        assert call(0x40000000) == ENOSYS  # x32: read
        assert call(0x40000000 + 59) == ENOSYS  # x32: execve


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_against_the_kernels_headers(machine: str) -> None:
    """Where the headers are installed, the tables are what they say."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    text = header.read_text()
    pattern = r"^#define\s+__NR(3264)?_(\w+)\s+(\d+)"
    truth = {name: int(number) for _, name, number in re.findall(pattern, text, re.M)}
    # The generic header gives shared names to calls that 64-bit machines know by another one.
    generic = {"newfstatat": "fstatat"}
    checked = 0
    for name, number in NUMBERS[machine].items():
        known = truth.get(name, truth.get(generic.get(name, "")))
        if known is not None:
            assert number == known, name
            checked += 1
    assert checked > 0.9 * len(NUMBERS[machine])
