# SPDX-License-Identifier: GPL-2.0-only
"""One virtual machine with a sched_ext kernel: boot, run commands, copy files, stop."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from tests.lab.folder import boot_folder, write_additions

BOOT_TIMEOUT_S = 240
CONSOLE_TAIL = 60
PR_SET_PDEATHSIG = 1
# LAB.md: one emulation thread, and none of the guest's detectors of the emulator's own pauses.
APPEND = (
    "root=/dev/vda console=ttyS0 quiet panic=-1 tsc=reliable rcupdate.rcu_cpu_stall_suppress=1 nowatchdog "
    "systemd.show_status=false mitigations=off init_on_alloc=0 audit=0"
)

Kernel = Literal["standard", "cloud"]


class VMDiedError(Exception):
    """The virtual machine ended, or never came up; the message has the console's last lines."""


class VMTimeoutError(Exception):
    """A command outlived its time; it was killed in the guest."""


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    stdout: str
    stderr: str

    def ok(self) -> str:
        """stdout of a command that must have succeeded."""
        assert self.status == 0, f"status {self.status}\n{self.stdout}\n{self.stderr}"
        return self.stdout


@dataclass(frozen=True, slots=True)
class Config:
    smp: int = 2
    numa: int = 1
    icount: bool = False
    kernel: Kernel = "standard"
    append: str = ""
    possible: int = 0  # CPUs that the kernel could bring up; 0: no more than smp


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "schedctl-lab"


def _lock_one(files: Sequence[TextIO]) -> bool:
    for file in files:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


@contextmanager
def slot() -> Iterator[None]:
    """Two virtual machines at a time, whoever starts them, in the order in which they came."""
    cache().mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context((cache() / f"vm-slot{i}").open("w")) for i in range(2)]
        with (cache() / "vm-turn").open("w") as turn:
            _wait_for(turn)
            if not _lock_one(files):
                _say_waiting()
                while not _lock_one(files):  # nobody else looks meanwhile
                    time.sleep(0.2)
        yield


def _wait_for(turn: TextIO) -> None:
    """Until all who came before have their machine: the kernel keeps the order."""
    if not _lock_one([turn]):
        _say_waiting()
        fcntl.flock(turn, fcntl.LOCK_EX)


def _say_waiting() -> None:
    print("lab: two machines run already, waiting for one to end", file=sys.stderr)


def bootstrap(kernel: Kernel) -> tuple[Path, Path]:
    """The image folder and QEMU's chroot, built first where they are missing."""
    command = [str(Path(__file__).parent / "bootstrap"), kernel]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            folders = process.communicate()[0].split()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    image, qemu = map(Path, folders)
    return image, qemu


def _numa_args(config: Config, memory_mib: int) -> list[str]:
    if config.numa == 1:
        return []
    each = memory_mib // config.numa
    args = []
    for node in range(config.numa):
        cpus = [c for c in range(config.smp) if c * config.numa // config.smp == node]
        args += ["-object", f"memory-backend-ram,id=m{node},size={each}M"]
        args += ["-numa", f"node,nodeid={node},cpus={cpus[0]}-{cpus[-1]},memdev=m{node}"]
    return args


def _command_line(config: Config) -> str:
    """CPUs beyond smp stay offline: those not plugged in are possible ones only under a known hypervisor."""
    limit = f"maxcpus={config.smp}" if config.possible else ""
    return " ".join(words for words in (APPEND, limit, config.append) if words)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class VM:
    """A booted machine; use as a context manager. `run` raises VMDiedError and VMTimeoutError."""

    def __init__(self, config: Config, copies: Sequence[Path] = (), terminal: bool = False) -> None:
        self.config = config
        self._copies = copies
        self._has_terminal = terminal
        self._process: subprocess.Popen[bytes] | None = None
        self._port: socket.socket | None = None
        self._folder: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- start and stop ----------------------------------------------------------------------

    def _start(self) -> None:
        image, qemu = bootstrap(self.config.kernel)
        self._folder, lock = self._stack.enter_context(boot_folder(qemu))
        write_additions(image, self._folder, self._copies)
        for name in ("root.img", "initrd.gz", "vmlinuz"):
            os.link(image / name, self._folder / name)
        self._launch(qemu, lock)
        try:
            kind, state = self._frame(time.monotonic() + BOOT_TIMEOUT_S)
        except TimeoutError:
            raise VMDiedError(f"no boot within {BOOT_TIMEOUT_S} s\n{self.console()}") from None
        if kind != b"b" or state not in (b"running", b"degraded"):
            raise VMDiedError(f"boot ended in state {state.decode()!r}\n{self.console()}")

    def _launch(self, qemu: Path, lock: int) -> None:
        assert self._folder is not None
        config, inside, memory_mib = self.config, f"/lab/{self._folder.name}", 2048
        argv = ["chroot", str(qemu), "qemu-system-x86_64", "-accel", "tcg,thread=single"]
        argv += ["-icount", "shift=1,sleep=off"] if config.icount else []
        argv += ["-cpu", "max", "-smp", str(config.possible or config.smp), "-m", f"{memory_mib}M"]
        argv += _numa_args(config, memory_mib)
        argv += ["-kernel", f"{inside}/vmlinuz", "-initrd", f"{inside}/initrd.gz"]
        argv += ["-drive", f"file={inside}/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe"]
        argv += ["-drive", f"file={inside}/add.tar,format=raw,if=virtio,readonly=on"]
        argv += ["-chardev", f"socket,id=lab,path={inside}/port,server=on,wait=off"]
        argv += ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=lab,name=lab"]
        if self._has_terminal:
            argv += ["-chardev", f"socket,id=terminal,path={inside}/terminal,server=on,wait=off"]
            argv += ["-device", "virtconsole,chardev=terminal"]
        argv += ["-nodefaults", "-display", "none", "-no-reboot"]
        argv += ["-serial", f"file:{inside}/console", "-append", _command_line(config)]
        with (self._folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                preexec_fn=_die_with_parent,
            )
        self._port = self._connect("port")

    def terminal(self) -> socket.socket:
        """The guest's /dev/hvc0, of a machine made with terminal=True."""
        return self._connect("terminal")

    def _connect(self, name: str) -> socket.socket:
        assert self._folder is not None
        folder = os.open(self._folder, os.O_PATH)
        try:
            # through the descriptor: a socket's path is at most 107 bytes
            path, deadline = f"/proc/self/fd/{folder}/{name}", time.monotonic() + 30
            while True:
                port = socket.socket(socket.AF_UNIX)
                try:
                    port.connect(path)
                except OSError:
                    port.close()
                    if time.monotonic() > deadline or not self.alive():
                        raise VMDiedError(f"QEMU did not start\n{self.console()}") from None
                    time.sleep(0.05)
                    continue
                return port
        finally:
            os.close(folder)

    def stop(self) -> None:
        """End the machine and remove its files; nothing is left running."""
        if self._port is not None:
            self._port.close()
            self._port = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._stack.close()
        self._folder = None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """The last lines of the kernel's console, and of QEMU where it complained."""
        if self._folder is None:
            return ""
        text = ""
        for name in ("qemu.log", "console"):
            with suppress(FileNotFoundError):
                text += (self._folder / name).read_text(errors="replace")
        return "\n".join(text.replace("\r", "").splitlines()[-CONSOLE_TAIL:])

    # --- commands ----------------------------------------------------------------------------

    def run(
        self,
        command: Sequence[str] | str,
        timeout: float = 120,
        on_output: Callable[[str, bytes], None] | None = None,
    ) -> Result:
        """Run argv, or a line of shell, as root; `on_output` sees ("o" or "e", bytes) as they come."""
        argv = ["sh", "-c", command] if isinstance(command, str) else list(command)
        self._send(b"r", json.dumps({"argv": argv}).encode())
        chunks: dict[bytes, list[bytes]] = {b"o": [], b"e": []}
        deadline, killed = time.monotonic() + timeout, False
        while True:
            try:
                kind, payload = self._frame(deadline)
            except TimeoutError:
                if killed:
                    raise VMDiedError(f"the agent does not answer\n{self.console()}") from None
                killed, deadline = True, time.monotonic() + 60
                self._send(b"k", b"")
                continue
            if kind in chunks:
                chunks[kind].append(payload)
                if on_output:
                    on_output(kind.decode(), payload)
            elif kind == b"x":
                break
            elif kind == b"!":
                raise VMDiedError(f"the agent failed: {payload.decode()}")
        out, err = (b"".join(chunks[k]).decode(errors="replace") for k in (b"o", b"e"))
        if killed:
            raise VMTimeoutError(f"{argv} ran longer than {timeout} s\n{out}\n{err}")
        return Result(int(payload), out, err)

    def sh(self, command: str, timeout: float = 120) -> str:
        """stdout of a line of shell that must succeed."""
        return self.run(command, timeout).ok()

    def put(self, path: str, content: str | bytes | Path, mode: int | None = None) -> None:
        """Write a file in the guest; a Path keeps its mode unless one is given."""
        if isinstance(content, Path):
            mode = content.stat().st_mode & 0o7777 if mode is None else mode
            content = content.read_bytes()
        elif isinstance(content, str):
            content = content.encode()
        head = json.dumps({"path": path, "mode": 0o644 if mode is None else mode}).encode()
        self._send(b"p", head + b"\0" + content)
        self._expect(b"d", path)

    def get(self, path: str) -> bytes:
        self._send(b"g", path.encode())
        return self._expect(b"f", path)

    def _expect(self, wanted: bytes, path: str) -> bytes:
        kind, payload = self._frame(time.monotonic() + 180)  # other machines run
        if kind == b"!":
            raise FileNotFoundError(f"{path} in the guest: {payload.decode()}")
        assert kind == wanted, kind
        return payload

    # --- frames ------------------------------------------------------------------------------

    def _send(self, kind: bytes, payload: bytes) -> None:
        if self._port is None:
            raise VMDiedError("the machine was stopped")
        try:
            self._port.settimeout(60)
            self._port.sendall(kind + len(payload).to_bytes(4, "big") + payload)
        except OSError:
            raise VMDiedError(f"the machine died\n{self.console()}") from None

    def _frame(self, deadline: float) -> tuple[bytes, bytes]:
        head = self._receive(5, deadline)
        return head[:1], self._receive(int.from_bytes(head[1:], "big"), deadline + 60)

    def _receive(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes; TimeoutError at the deadline, VMDiedError when QEMU ended."""
        data = b""
        while len(data) < size:
            if self._port is None:
                raise VMDiedError("the machine was stopped")
            self._port.settimeout(max(0.01, min(1.0, deadline - time.monotonic())))
            try:
                chunk = self._port.recv(size - len(data))
            except TimeoutError:
                if not self.alive():
                    raise VMDiedError(f"the machine died\n{self.console()}") from None
                if time.monotonic() > deadline:
                    raise
                continue
            except OSError:
                chunk = b""
            if not chunk:
                raise VMDiedError(f"the machine died\n{self.console()}")
            data += chunk
        return data
