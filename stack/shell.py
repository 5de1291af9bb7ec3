# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --shell: the machine's console on the user's terminal."""

from __future__ import annotations

import subprocess
import sys
import termios

from stack.machine import Machine

_WELCOME = """\
dom0's console. Press Enter when it is up; 'exit' powers the machine off, Ctrl-A x ends QEMU at once.
In dom0: xl create /etc/xen/domu1.cfg, xl list, xl console domu1, xtest -l 0 -t regression regression_1004, xl debug-keys T
Logs: {folder}
"""


def run(machine: Machine) -> int:
    """QEMU in the foreground. It stays in our process group, or it could not read the terminal."""
    command = machine.command()
    print(_WELCOME.format(folder=machine.folder), flush=True)
    settings = termios.tcgetattr(sys.stdin)
    try:
        return subprocess.run(["setpriv", "--pdeathsig", "KILL", "--", *command], cwd=machine.folder, check=False).returncode
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)     # QEMU may not have come so far
