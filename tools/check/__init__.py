# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The runner behind ./check: what is checked is in plan.py, how it is run in runner.py, what one sees in screen.py."""
