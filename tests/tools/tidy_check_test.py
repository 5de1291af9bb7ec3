# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""clang-tidy, and what is excused from it."""

import json

from tests.tools.small_tree import SmallTree


class Tidy(SmallTree):
    def setUp(self):
        super().setUp()
        self.write(".clang-tidy", "Checks: '-*,readability-magic-numbers,modernize-use-nullptr'\nWarningsAsErrors: '*'\n"
                                  "HeaderFilterRegex: '/core/'\n")
        self.source("core/pin.cpp", "int f() { return 0; }\n")

    def source(self, name, text):
        file = self.write(name, text)
        path = self.root / "build/clang/compile_commands.json"
        entries = json.loads(path.read_text()) if path.exists() else []
        entries.append({"directory": str(self.root / "build/clang"), "file": str(file),
                        "command": f"clang++-14 -std=c++20 -I{self.root}/core -o a.o -c {file}"})
        self.write("build/clang/compile_commands.json", json.dumps(entries))

    def test_finds_what_clang_tidy_finds(self):
        self.assert_passes("tidy_check")
        self.source("core/vm.cpp", "int* f() { return 0; }\n")
        self.assert_finds("modernize-use-nullptr", "tidy_check")

    def test_looks_again_when_a_header_changes(self):
        self.write("core/a.hpp", "inline int* g() { return nullptr; }\n")
        self.source("core/vm.cpp", '#include "a.hpp"\n')
        self.assert_passes("tidy_check")
        self.write("core/a.hpp", "inline int* g() { return 0; }\n")
        self.assert_finds("core/a.hpp:1", "tidy_check")

    def test_finds_a_number_in_the_core_alone(self):
        text = "int f(int x) { return x * 77; }\n"
        self.write("core/abi/a.hpp", "constexpr int g(int x) { return x * 99; }\n"
                                     "static_assert(g(1) == 99 &&\n              g(2) == 198);\n")
        self.source("sim/vm.cpp", '#include "abi/a.hpp"\n' + text)
        self.source("core/proof.cpp", "static_assert(1 + 76 == 77 &&\n              sizeof(char[88]) == 88);\n")
        self.assert_passes("tidy_check")
        self.source("core/vm.cpp", text)
        self.assert_finds("77 is a magic number", "tidy_check")

    def test_finds_a_source_that_does_not_compile(self):
        self.source("core/vm.cpp", '#include "gone.hpp"\n')
        self.assert_finds("core/vm.cpp: does not compile", "tidy_check")

    def test_finds_that_there_is_nothing_to_look_at(self):
        self.assert_finds("nothing to look at", "tidy_check", "elsewhere")
