# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --arm32: 32-bit Xen and 32-bit guests over a 64-bit OP-TEE (docs/arm32.md)."""
