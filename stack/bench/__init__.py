# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""./bench: what a call costs at EL2, counted in instructions, with our mediator and with upstream's."""
