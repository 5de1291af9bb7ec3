# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Behind tools/attacks: which attacks there must be (catalogue.py), how they are played (play.py), what is shown (table.py)."""
