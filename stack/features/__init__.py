# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./run --features: what ours can do and what upstream's can, measured in the same stack."""
