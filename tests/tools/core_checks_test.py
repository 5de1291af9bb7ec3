# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The checks that look at compiled code: symbols, stack, size, headers, what must not compile, OP-TEE's constants."""

import subprocess

from tests.tools.small_tree import SmallTree

flags = ["-std=c++20", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-O2"]


class Compiled(SmallTree):
    def compile(self, text, *more):
        """Lays out the object as a freestanding build does; returns the build folder."""
        source = self.write("core/pin.cpp", text)
        folder = self.root / "build/CMakeFiles/core.dir/core"
        folder.mkdir(parents=True, exist_ok=True)
        one = folder / "pin.cpp.o"
        subprocess.run(["g++", *flags, "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fstack-usage",
                        "-fcallgraph-info=su", *more, "-c", "-o", one, source], check=True, cwd=self.root)
        subprocess.run(["g++", "-nostdlib", "-r", "-o", self.root / "build/libcore.o", one], check=True)
        return self.root / "build"


class Symbols(Compiled):
    def find(self, what, text, *more):
        self.assert_finds(what, "symbols_check", self.compile(text, *more) / "libcore.o")

    def test_passes_the_port_and_memcpy(self):
        build = self.compile('extern "C" { void optee_port_smc(void*); void* memcpy(void*, void const*, unsigned long);'
                             "void optee_mediator_a(char* p, unsigned long n) { memcpy(p, p + 100, n);"
                             "optee_port_smc(p); } }")
        self.assert_passes("symbols_check", build / "libcore.o")

    def test_finds_the_heap(self):
        self.find("needs _Znwm", "namespace optee { int* make() { return new int; } }")

    def test_finds_an_exception(self):
        self.find("needs __cxa", "namespace optee { void f() { throw 1; } }", "-fexceptions")

    def test_finds_a_library_function(self):
        self.find("needs printf", 'extern "C" int printf(char const*, ...); namespace optee { void f() { printf(""); } }')

    def test_finds_code_that_runs_before_main(self):
        self.find(".init_array", "namespace optee { int f(); int value = f(); int f() { asm(\"\"); return value; } }")

    def test_finds_thread_local_storage(self):
        self.find(".tbss", "namespace optee { thread_local int value; int f() { return value++; } }")

    def test_finds_a_name_outside_the_namespace(self):
        self.find("offers _Z6helperv", "void helper() {}")

    def test_finds_an_object_that_is_not_there(self):
        self.assert_finds("nothing to look at", "symbols_check", self.root / "libcore.o")


class Stack(Compiled):
    def test_adds_up_the_deepest_way(self):
        build = self.compile("void port(void*); namespace optee {"
                             "[[gnu::noinline]] void deep() { char a[200]; port(a); asm(\"\"); }"
                             "void top() { char a[100]; port(a); deep(); asm(\"\"); } }")
        output = self.assert_passes("stack_check", build)
        self.assertIn("void optee::top()", output)
        self.assertIn("void optee::deep()", output)

    def test_finds_a_large_frame(self):
        build = self.compile("void port(void*); namespace optee { void f() { char a[600]; port(a); asm(\"\"); } }")
        self.assert_finds("at most 512", "stack_check", build)

    def test_finds_a_frame_without_bound(self):
        build = self.compile("void port(void*); namespace optee { void f(unsigned n)"
                             "{ port(__builtin_alloca(n)); asm(\"\"); } }")
        self.assert_finds("not bounded", "stack_check", build)

    def test_finds_a_function_that_calls_itself(self):
        build = self.compile("namespace optee { int g(int); [[gnu::noinline]] int f(int n)"
                             "{ return n ? g(n - 1) * 3 : 0; } [[gnu::noinline]] int g(int n) { return f(n) + 1; } }",
                             "-fno-optimize-sibling-calls", "-O1")
        self.assert_finds("calls itself", "stack_check", build)

    def test_finds_an_empty_build(self):
        self.assert_finds("nothing to look at", "stack_check", self.root)


class Size(Compiled):
    def setUp(self):
        super().setUp()
        self.build = self.compile("namespace optee { int f(int x) { return x * 3; } }")

    def budget(self, text):
        return self.write("size.csv", "part,text,rodata,data,bss\n" + text)

    def test_names_the_functions(self):
        self.assertIn("optee::f(int)", self.assert_passes("size_report", self.build))

    def test_passes_within_the_budget(self):
        self.assert_passes("size_report", self.build, "--budget", self.budget("core,100,0,0,0\npin,100,0,0,0\n"))

    def test_finds_growth_and_says_what_to_change(self):
        output = self.assert_finds("grew over its budget", "size_report", self.build, "--budget",
                                   self.budget("core,100,0,0,0\npin,1,0,0,0\n"))
        self.assertIn("from pin,1,0,0,0", output)

    def test_finds_a_budget_without_total_or_for_nothing(self):
        self.assert_finds("no line for the core", "size_report", self.build, "--budget", self.budget("pin,99,0,0,0\n"))
        self.assert_finds("there is no gone", "size_report", self.build, "--budget",
                          self.budget("core,100,0,0,0\ngone,1,0,0,0\n"))

    def test_finds_that_nothing_was_built(self):
        self.assert_finds("no ", "size_report", self.root / "elsewhere")


class Headers(SmallTree):
    def setUp(self):
        super().setUp()
        self.write("tools/check/header_alone.c", "extern int header_alone;\n")

    def test_passes_a_header_that_includes_what_it_needs(self):
        self.write("core/pin.hpp", "#pragma once\n#include <cstdint>\nstd::uint32_t f();\n")
        self.write("include/a.h", "#include <stdint.h>\nuint32_t f(void);\n")
        self.assert_passes("headers_check")

    def test_finds_a_header_that_relies_on_others(self):
        self.write("core/pin.hpp", "#pragma once\nstd::uint32_t f();\n")
        self.assert_finds("core/pin.hpp", "headers_check")

    def test_finds_cxx_in_a_public_header(self):
        self.write("include/a.h", "namespace a { }\n")
        self.assert_finds("include/a.h (gcc)", "headers_check")

    def test_finds_what_is_no_cxx_in_a_public_header(self):
        self.write("include/a.h", "struct a { int class; };\n")
        self.assert_finds("include/a.h (g++)", "headers_check")


class CompileFail(SmallTree):
    runner = "../tests/compile_fail/run"

    def case(self, text):
        return self.write("case.cpp", text)

    def test_passes_what_is_refused_for_its_reason(self):
        self.assert_passes(self.runner, self.case("// expect: cannot\n#ifdef WRONG\nint* p = 1.5;\n#endif\n"))

    def test_finds_what_compiles(self):
        self.assert_finds("compiles with -DWRONG", self.runner, self.case("// expect: cannot\n"))

    def test_finds_what_is_refused_for_another_reason(self):
        self.assert_finds("not because of", self.runner,
                          self.case("// expect: cannot\n#ifdef WRONG\nint p = nothing;\n#endif\n"))

    def test_finds_what_never_compiles(self):
        self.assert_finds("must compile without", self.runner, self.case("// expect: cannot\nint* p = 1.5;\n"))

    def test_finds_a_case_without_expectation(self):
        self.assert_finds("no line", self.runner, self.case("int* p = 1.5;\n"))


class Abi(SmallTree):
    def setUp(self):
        super().setUp()
        self.optee = self.root / "optee-os"
        self.write("optee-os/core/include/optee_msg.h", "#define OPTEE_MSG_CMD_CANCEL U(3)\n#define TEE_THING 9\n")
        for name in ("core/include/optee_rpc_cmd.h", "core/arch/arm/include/sm/optee_smc.h",
                     "lib/libutee/include/tee_api_defines.h"):
            self.write("optee-os/" + name, "")

    def constants(self, text):
        self.write("core/abi/message.hpp", "namespace optee::abi {\n" + text + "\n}\n")

    def test_passes_what_is_the_same_in_every_scope(self):
        self.constants("enum class Command : int {\n    cancel = 3, // OPTEE_MSG_CMD_CANCEL\n};\n"
                       "struct A {\n    static int f() { return 1; }\n"
                       "    static constexpr int thing = 1 + 8; // TEE_THING\n};\n")
        self.assertIn("2 looked at", self.assert_passes("abi_compare", "--source", self.optee))

    def test_finds_a_difference(self):
        self.constants("inline constexpr int cancel = 4; // OPTEE_MSG_CMD_CANCEL")
        self.assert_finds("optee::abi::cancel is 0x4, OPTEE_MSG_CMD_CANCEL is 0x3", "abi_compare", "--source",
                          self.optee)

    def test_finds_a_macro_that_does_not_exist(self):
        self.constants("inline constexpr int cancel = 3; // OPTEE_MSG_CMD_CANSEL")
        self.assert_finds("OP-TEE has no OPTEE_MSG_CMD_CANSEL", "abi_compare", "--source", self.optee)

    def test_finds_that_no_constant_says_what_it_is(self):
        self.constants("inline constexpr int cancel = 3;")
        self.assert_finds("nothing to look at", "abi_compare", "--source", self.optee)
