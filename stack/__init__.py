# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The real thing on one machine: QEMU, TF-A, OP-TEE, Xen with a mediator, and Linux guests that run xtest."""
