# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""A tree of a few files in which a tool is run: what it must find wrong, and what it must let pass."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

tools = Path(__file__).resolve().parent.parent.parent / "tools"
# In two pieces, or the tool reuse would read it as a statement about this file.
licensed = "// SPDX-License-" "Identifier: BSD-2-Clause\n// SPDX-File" "CopyrightText: optee-mediator contributors\n"


class SmallTree(unittest.TestCase):
    """A test with a folder of its own, gone when it ends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_tool(self, name, *arguments):
        """Exit status and output of the tool in this tree."""
        done = subprocess.run([tools / name, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, cwd=self.root,
                              env={**os.environ, "OPTEE_MEDIATOR_ROOT": str(self.root),
                                   "XDG_CACHE_HOME": str(self.root / "cache")})
        return done.returncode, done.stdout

    def assert_passes(self, name, *arguments):
        status, output = self.run_tool(name, *arguments)
        self.assertEqual(status, 0, output)
        return output

    def assert_finds(self, what, name, *arguments):
        status, output = self.run_tool(name, *arguments)
        self.assertEqual(status, 1, output)
        self.assertIn(what, output)
        return output
