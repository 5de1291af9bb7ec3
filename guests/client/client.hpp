// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// What the program does, by its first argument. Each prints facts (stack/features/evidence.py) and returns an exit status.

namespace client {

/// One buffer of 16 MiB, 256 of 64 KiB, and where sharing ends.
int share();

/// A TA works in a buffer of 16 MiB, or of 64 KiB where that is too much: does OP-TEE serve this VM?
int once();

/// Works until it is killed, in a way of its own: `wait`, `load`, `encrypt`, `register`. Says when the work has begun.
int work(char const* way);

/// How late this VM's timer is while it computes, and while it calls OP-TEE. For a VM with one processor.
int timer();

/// What OP-TEE has allocated, for this VM and for all.
int memory(char const* when);

/// A session with a TA, `crypt` or `os_test`: may this VM have it?
int open(char const* ta);

/// How many buffers of one page it can share at once, up to 400.
int buffers();

/// Two calls at once that each wait for some seconds: the mediator counts how many there are.
int wait_together();

} // namespace client
