# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The checks that read text: licences, layers, habits, documents, formatting."""

from tests.tools.small_tree import SmallTree, licensed


class Spdx(SmallTree):
    def test_passes_a_file_with_both_lines(self):
        self.write("core/a.cpp", licensed)
        self.assert_passes("spdx_check")

    def test_finds_a_file_without_licence(self):
        self.write("core/a.cpp", licensed.split("\n", maxsplit=1)[1])
        self.assert_finds("core/a.cpp: no SPDX-License", "spdx_check")

    def test_finds_a_file_without_owner(self):
        self.write("core/a.cpp", licensed.split("\n", maxsplit=1)[0])
        self.assert_finds("core/a.cpp: no SPDX-FileCopyright", "spdx_check")

    def test_finds_the_gpl_outside_the_xen_port(self):
        self.write("core/a.cpp", licensed.replace("BSD-2-Clause", "GPL-2.0-only"))
        self.assert_finds("GPL-2.0-only, but BSD-2-Clause belongs there", "spdx_check")

    def test_wants_the_gpl_in_the_xen_port(self):
        self.write("ports/xen/a.c", licensed)
        self.assert_finds("BSD-2-Clause, but GPL-2.0-only belongs there", "spdx_check")

    def test_finds_an_empty_tree(self):
        self.assert_finds("nothing to look at", "spdx_check")


class Boundary(SmallTree):
    def test_passes_an_include_of_a_lower_layer(self):
        self.write("core/base/address.hpp", "#include <cstdint>\n#include <optee_mediator/types.h>\n")
        self.write("core/dispatch.cpp", '#include "base/address.hpp"\n')
        self.assert_passes("boundary_check")

    def test_finds_an_include_of_a_higher_layer(self):
        self.write("core/dispatch.hpp", "")
        self.write("core/base/address.hpp", '\n#include "dispatch.hpp"\n')
        self.assert_finds("core/base/address.hpp:2:", "boundary_check")

    def test_finds_an_include_of_the_simulator(self):
        self.write("core/dispatch.cpp", '#include "sim/machine/machine.hpp"\n')
        self.assert_finds("is no file of core/", "boundary_check")

    def test_finds_a_header_that_needs_a_library(self):
        self.write("core/dispatch.cpp", "#include <string>\n")
        self.assert_finds("<string>", "boundary_check")

    def test_finds_a_file_without_layer(self):
        self.write("core/surprise.cpp", "")
        self.assert_finds("belongs to no layer", "boundary_check")

    def test_finds_headers_in_a_circle(self):
        self.write("core/base/a.hpp", '#include "base/b.hpp"\n')
        self.write("core/base/b.hpp", '#include "base/a.hpp"\n')
        self.assert_finds("circle of includes", "boundary_check")

    def test_finds_a_second_reader_of_guest_memory(self):
        self.write("core/guest_memory.cpp", "void f() { optee_port_read_guest(v, p, 0, t, 4); }\n")
        self.assert_passes("boundary_check")
        self.write("core/dispatch.cpp", "void f() { optee_port_read_guest(v, p, 0, t, 4); }\n")
        self.assert_finds("core/dispatch.cpp:1: optee_port_read_guest() may be called in", "boundary_check")

    def test_lets_a_comment_speak_of_everything(self):
        self.write("core/dispatch.cpp", '// optee_port_pin_run() is called elsewhere\n/*\n#include "sim/a.hpp"\n*/\n')
        self.assert_passes("boundary_check")


class Style(SmallTree):
    def test_passes_plain_code(self):
        self.write("core/pin.cpp", "int f(int x);\n// NO" "LINTNEXTLINE(some-check): it has a reason\nint g();\n")
        self.assert_passes("style_check")

    def test_finds_a_lint_that_is_off_without_reason(self):
        for comment in ("// NO" "LINT", "// NO" "LINT(some-check)", "// NO" "LINT: because"):
            self.write("core/pin.cpp", f"int f(int x); {comment}\n")
            self.assert_finds("without its check and a reason", "style_check")

    def test_finds_what_is_left_to_do(self):
        self.write("docs/a.md", "TO" "DO: write this\n")
        self.assert_finds("something is left to do", "style_check")

    def test_finds_an_address_as_integer(self):
        self.write("core/pin.hpp", "void pin(std::uint64_t buffer_ipa, int pages);\n")
        self.assert_finds("core/pin.hpp:1: an address as an integer", "style_check")

    def test_lets_the_address_type_hold_one(self):
        self.write("core/base/address.hpp", "void from(std::uint64_t address);\n")
        self.assert_passes("style_check")

    def test_lets_pages_and_parameters_be_numbers(self):
        self.write("core/pin.hpp", "void pin(std::uint32_t pages, std::uint32_t parameter);\n")
        self.assert_passes("style_check")

    def test_finds_hex_outside_the_abi(self):
        self.write("core/pin.cpp", "int f() { return 0x10; }\n")
        self.write("core/abi/smc.hpp", "constexpr int f = 0x10;\n")
        output = self.assert_finds("core/pin.cpp:1: a number in hex", "style_check")
        self.assertNotIn("core/abi/smc.hpp", output)

    def test_finds_a_long_file(self):
        self.write("core/pin.cpp", "\n" * 501)
        self.assert_finds("501 lines", "style_check")

    def test_finds_a_name_that_says_nothing(self):
        self.write("core/pin_helpers.cpp", "")
        self.assert_finds("'helpers' in a name", "style_check")

    def test_finds_a_test_without_a_sentence(self):
        self.write("tests/unit/pin_test.cpp", "TEST(Pin, Works)\n{\n}\nTEST(Pin, GivesBackWhatItTook)\n{\n}\n")
        output = self.assert_finds("Pin.Works", "style_check")
        self.assertNotIn("GivesBack", output)


class Docs(SmallTree):
    def setUp(self):
        super().setUp()
        self.write("run", "#!/bin/sh\necho '--quick  a part'\n").chmod(0o755)
        self.write("core/pin.hpp", "")

    def test_passes_what_exists(self):
        self.write("docs/a.md", "# A title\n")
        self.write("README.md", "See [a](docs/a.md#a-title), `core/pin.hpp`, `core/`.\n\n```sh\n./run --quick\n```\n")
        self.assert_passes("docs_check")

    def test_finds_a_dead_link(self):
        self.write("README.md", "\nSee [a](docs/a.md).\n")
        self.assert_finds("README.md:2: link to docs/a.md", "docs_check")

    def test_finds_a_dead_anchor(self):
        self.write("README.md", "# Title\n[a](#other)\n")
        self.assert_finds("no such heading", "docs_check")

    def test_finds_a_file_that_is_gone(self):
        self.write("README.md", "The file `core/gone.cpp` does it.\n")
        self.assert_finds("`core/gone.cpp`: no such file", "docs_check")

    def test_finds_a_command_that_is_gone(self):
        self.write("README.md", "```sh\n./bench\n```\n")
        self.assert_finds("./bench: no such command", "docs_check")

    def test_finds_an_option_that_the_command_does_not_have(self):
        self.write("README.md", "```sh\n./run --quick --slow\n```\n")
        output = self.assert_finds("run --slow: not in its --help", "docs_check")
        self.assertNotIn("--quick:", output)

    def test_knows_the_options_of_a_campaign(self):
        self.write("check", "#!/bin/bash\necho --attacks\n").chmod(0o755)
        self.write("tools/attacks", "#!/bin/bash\necho --only\n").chmod(0o755)
        self.write("README.md", "```sh\n./check --attacks --only F06\n```\n")
        self.assert_passes("docs_check")
        self.write("README.md", "```sh\n./check --attacks --slow\n```\n")
        self.assert_finds("check --slow: not in its --help", "docs_check")


class Format(SmallTree):
    def test_finds_and_fixes_what_is_not_formatted(self):
        self.write(".clang-format", "BasedOnStyle: LLVM\n")
        file = self.write("core/pin.cpp", "int   f( );\n")
        self.assert_finds("core/pin.cpp", "format_check")
        self.assert_passes("format_check", "--fix")
        self.assertEqual(file.read_text(), "int f();\n")
        self.assert_passes("format_check")


    def test_keeps_short_cases_in_columns(self):
        self.write(".clang-format", "BasedOnStyle: LLVM\nAllowShortCaseLabelsOnASingleLine: true\n")
        table = ("int f(int x) {\n  switch (x) {\n  case 1:    return 2;\n  case 1000: return 3;\n  }\n"
                 "  return 0;\n}\n")
        self.write("core/pin.cpp", table)
        self.assert_passes("format_check")
        file = self.write("core/pin.cpp", table.replace("1:    ", "1: "))
        self.assert_finds("-  case 1: return 2;", "format_check")
        self.assert_passes("format_check", "--fix", "core/pin.cpp")
        self.assertEqual(file.read_text(), table)


class Shell(SmallTree):
    def test_finds_a_variable_without_quotes(self):
        self.write("go", "#!/bin/bash\nrm $1\n")
        self.assert_finds("SC2086", "shell_check")


class Spelling(SmallTree):
    def test_finds_a_misspelt_word_and_knows_ours(self):
        self.write(".codespell-words", "optee\n")
        self.write("a.md", "optee and tee\n")
        self.assert_passes("spelling_check")
        self.write("a.md", "it is " "recie" "ved\n")
        self.assert_finds("==>", "spelling_check")
