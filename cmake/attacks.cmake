# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# The attacks are compiled once, and are played on two mediators: `attack_tests` on the core, `attack_tests_upstream` on
# Xen's own, out of a Xen source tree that is named here (tools/attacks does that). Only the first is built by default.
set(MEDIATOR_UPSTREAM_SOURCE "" CACHE PATH "A source tree of Xen 4.17 or so, whose mediator the attacks shall be played on")

file(GLOB attack_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/attack/*.cpp")
list(REMOVE_ITEM attack_sources "${CMAKE_SOURCE_DIR}/tests/attack/under_test_core.cpp")
add_library(attacks OBJECT ${attack_sources}
    "${CMAKE_SOURCE_DIR}/tests/scenario/scenario.cpp") # the words in which scripts are told
target_include_directories(attacks PUBLIC "${CMAKE_SOURCE_DIR}")
target_link_libraries(attacks PUBLIC core gtest_main PRIVATE warnings)
target_precompile_headers(attacks REUSE_FROM test_headers)

add_executable(attack_tests "${CMAKE_SOURCE_DIR}/tests/attack/under_test_core.cpp")
target_link_libraries(attack_tests PRIVATE attacks warnings)

# A process for each attack would take most of its time to start, above all under a sanitizer: one for each group. What
# is in no group of the catalogue is in the last one.
math(EXPR attack_group_timeout "10 * ${MEDIATOR_TEST_TIMEOUT}")
set(grouped "")
foreach(group IN ITEMS F B P N S R L Q D T X A)
    add_test(NAME "attack: ${group}" COMMAND attack_tests "--gtest_filter=${group}*")
    list(APPEND grouped "${group}*")
    list(APPEND attack_groups "attack: ${group}")
endforeach()
list(JOIN grouped ":" grouped)
add_test(NAME "attack: others" COMMAND attack_tests "--gtest_filter=-${grouped}")
set_tests_properties(${attack_groups} "attack: others" PROPERTIES
    TIMEOUT "${attack_group_timeout}" LABELS attack ENVIRONMENT "GTEST_BRIEF=1")

if(MEDIATOR_UPSTREAM_SOURCE AND NOT EXISTS "${MEDIATOR_UPSTREAM_SOURCE}/xen/arch/arm/tee/optee.c")
    message(WARNING "no Xen in MEDIATOR_UPSTREAM_SOURCE (${MEDIATOR_UPSTREAM_SOURCE}): attack_tests_upstream is not built")
elseif(MEDIATOR_UPSTREAM_SOURCE)
    set(shim "${CMAKE_SOURCE_DIR}/tests/upstream")
    set(xen "${MEDIATOR_UPSTREAM_SOURCE}/xen/arch/arm")
    # Xen's C, with our headers in the place of most of Xen's. -fsanitize=thread announces loads and stores, see
    # tests/upstream/watched_accesses.cpp; it is not linked with. Its warnings are not ours.
    add_library(xen_mediator OBJECT EXCLUDE_FROM_ALL "${xen}/tee/optee.c" "${shim}/tee_entry.c")
    target_include_directories(xen_mediator PRIVATE "${CMAKE_SOURCE_DIR}" "${shim}/include" "${xen}/include")
    set_target_properties(xen_mediator PROPERTIES C_EXTENSIONS ON)
    target_compile_options(xen_mediator PRIVATE -w -O2 -fno-strict-aliasing -include xen/config.h)
    set_source_files_properties("${xen}/tee/optee.c" PROPERTIES COMPILE_OPTIONS "-fsanitize=thread")

    file(GLOB shim_sources CONFIGURE_DEPENDS "${shim}/*.cpp")
    add_executable(attack_tests_upstream EXCLUDE_FROM_ALL ${shim_sources})
    target_link_libraries(attack_tests_upstream PRIVATE attacks xen_mediator warnings)
endif()
