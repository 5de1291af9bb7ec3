# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""QEMU's monitor: asked about a machine that hangs, before it is ended."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

SOCKET = "monitor.sock"
_QUESTIONS = ("info status", "info registers -a")
_SAMPLES = 3                    # a processor that spins shows another address each time, one that waits the same
_PROMPT = b"(qemu) "
_ANSWER_SECONDS = 3.0


def save_state(folder: Path, target: Path) -> bool:
    """Writes what the processors are doing; False when QEMU does not answer any more."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(_ANSWER_SECONDS)
            # A socket's path may have 107 bytes at most, and nobody knows how deep the cache lies.
            channel.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
            _answer(channel)
            text = "".join(_ask(channel, question) for _ in range(_SAMPLES) for question in _QUESTIONS)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    target.write_text(text)
    return True


def _ask(channel: socket.socket, question: str) -> str:
    channel.sendall(f"{question}\n".encode())
    return _answer(channel)


def _answer(channel: socket.socket) -> str:
    """Everything up to the next prompt."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    data = b""
    while not data.endswith(_PROMPT) and time.monotonic() < deadline:
        piece = channel.recv(65536)
        if not piece:
            break
        data += piece
    return data.decode(errors="replace").replace("\r", "")
