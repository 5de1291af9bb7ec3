# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The tables of docs/lifecycles.md against the code: what the check must find, and what it must let pass."""

import subprocess

from tests.tools.small_tree import SmallTree, tools

lamp_code = """enum class Lamp : unsigned char {
    off, ///< dark, as it was made
    on,
    broken, ///< for ever
};

constexpr bool allowed(Lamp from, Lamp to)
{
    using enum Lamp;
    switch (from) {
    case off:    return to == on || to == broken;
    case on:     return to == off ||
                        to == broken; // it may happen at any time
    case broken: return false;
    }
    return false;
}
"""
lamp_table = """## A lamp: `Lamp` in `core/lamp.hpp`

| from | to | when |
|---|---|---|
| `off` | `on` | the switch |
| `off` | `broken` | a fall |
| `on` | `off` | the switch |
| `on` | `broken` | a fall |
"""
lamp_diagram = """
```mermaid
stateDiagram-v2
    [*] --> off
    off --> on
    off --> broken: a fall
    on --> off
    on --> broken
```
"""
door_header = "enum class Door { open, shut };\nstruct House { Door door = Door::open; };\n"
door_source = """void House::close(int hand)
{
    if (hand)
        door_.state = Door::shut;
}

void House::knock() { door_.state = Door::open; }
"""
door_table = """## A door: `Door` in `core/door.hpp`

| from | to | by | when |
|---|---|---|---|
| – | `open` | – | built |
| `open` | `shut` | `close` | at night |
| `shut` | `open` | `knock` | a guest |

| colour | price |
|---|---|
| red | high |
"""


class Lifecycles(SmallTree):
    tool = "lifecycles_check"

    def setUp(self):
        super().setUp()
        self.write("core/lamp.hpp", lamp_code)
        self.write("docs/lifecycles.md", "# Lifecycles\n\n" + lamp_table)

    def change(self, name, old, new):
        text = (self.root / name).read_text()
        self.assertIn(old, text)
        self.write(name, text.replace(old, new))

    def test_passes_what_is_the_same(self):
        self.assertIn("1 looked at, 0 problems", self.assert_passes(self.tool))

    def test_finds_a_step_that_only_the_document_has(self):
        self.change("core/lamp.hpp", "to == on || to == broken", "to == on")
        self.assert_finds("Lamp: step off -> broken is in docs/lifecycles.md, but not in allowed() of core/lamp.hpp",
                          self.tool)

    def test_finds_a_step_that_only_the_code_has(self):
        self.change("docs/lifecycles.md", "| `on` | `broken` | a fall |\n", "")
        self.assert_finds("Lamp: step on -> broken is in allowed() of core/lamp.hpp, but not in docs/lifecycles.md",
                          self.tool)

    def test_finds_a_state_that_only_the_code_has(self):
        self.change("core/lamp.hpp", "    on,\n", "    on,\n    flickering,\n")
        self.assert_finds("Lamp: state flickering is in core/lamp.hpp, but not in docs/lifecycles.md", self.tool)

    def test_finds_a_state_that_only_the_document_has(self):
        self.change("docs/lifecycles.md", "| `on` | `off` |", "| `on` | `sold` |")
        self.assert_finds("Lamp: state sold is in docs/lifecycles.md, but not in core/lamp.hpp", self.tool)

    def test_finds_a_diagram_that_differs(self):
        self.change("docs/lifecycles.md", lamp_table, lamp_table + lamp_diagram)
        self.assert_passes(self.tool)
        self.change("docs/lifecycles.md", "    on --> off\n", "")
        self.assert_finds("table and diagram differ: on -> off", self.tool)

    def test_does_not_take_a_comment_for_code(self):
        self.change("core/lamp.hpp", "    on,\n", "    on, // dim, too: later\n    /* hot,\n */\n")
        self.assert_passes(self.tool)

    def test_says_what_it_cannot_read(self):
        self.change("core/lamp.hpp", "to == on || to == broken", "to != off")
        self.assert_finds('cannot read "to != off"', self.tool)

    def test_reads_several_starts_of_one_arm(self):
        self.change("core/lamp.hpp", "    case broken: return false;",
                    "    case broken:\n    case Lamp::sold: return false;")
        self.assert_passes(self.tool)
        self.change("core/lamp.hpp", "case Lamp::sold: return false;", "case Lamp::on: return to == Lamp::on;")
        self.assert_finds("step broken -> on is in allowed()", self.tool)

    def test_finds_a_file_or_an_enumeration_that_is_gone(self):
        self.change("core/lamp.hpp", "enum class Lamp", "enum class Candle")
        self.assert_finds("core/lamp.hpp has no enum class Lamp", self.tool)
        (self.root / "core/lamp.hpp").unlink()
        self.assert_finds("there is no core/lamp.hpp", self.tool)

    def test_finds_an_automaton_that_the_document_does_not_have(self):
        self.write("core/second.hpp", "constexpr bool allowed(Second from, Second to);\n")
        self.assert_finds("Second: core/second.hpp has an automaton that docs/lifecycles.md does not tell of", self.tool)

    def test_finds_a_document_without_automata(self):
        self.write("core/lamp.hpp", "")
        self.write("docs/lifecycles.md", "# Lifecycles\n")
        self.assert_finds("nothing to look at", self.tool)

    def test_refuses_what_it_does_not_know(self):
        done = subprocess.run([tools / self.tool, "--fast"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)


class LifecyclesWithoutAllowed(SmallTree):
    tool = "lifecycles_check"

    def setUp(self):
        super().setUp()
        self.write("core/door.hpp", door_header)
        self.write("core/door.cpp", door_source)
        self.write("docs/lifecycles.md", door_table)

    def test_passes_what_is_the_same(self):
        self.assert_passes(self.tool)

    def test_finds_a_function_that_sets_another_state(self):
        self.write("core/door.cpp", door_source.replace("Door::shut", "Door::open"))
        output = self.assert_finds("close -> shut is in docs/lifecycles.md, but not in core/door.cpp", self.tool)
        self.assertIn("close -> open is in core/door.cpp, but not in docs/lifecycles.md", output)

    def test_finds_a_function_that_the_document_does_not_have(self):
        self.write("core/door.cpp", door_source + "void House::storm() { door_.state = Door::open; }\n")
        self.assert_finds("storm -> open is in core/door.cpp", self.tool)

    def test_finds_another_first_state(self):
        self.write("core/door.hpp", door_header.replace("= Door::open", "= Door::shut"))
        self.assert_finds("the first state is open in docs/lifecycles.md, but shut in core/door.hpp", self.tool)

    def test_wants_allowed_or_a_column_by(self):
        self.write("docs/lifecycles.md", lamp_table.replace("Lamp", "Door").replace("lamp.hpp", "door.hpp"))
        self.assert_finds("has no allowed(Door from, ...), and the table no column", self.tool)
