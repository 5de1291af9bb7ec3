# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""Tests of what reads and decides; nothing here boots, builds or fetches."""
