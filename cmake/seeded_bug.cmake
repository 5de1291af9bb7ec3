# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# MEDIATOR_SEEDED_BUG=NAME builds a core that has one defect more: a copy of core/ in the build tree with that change of
# tests/seeded_bugs. `none` builds an unchanged copy, so that a build tree can go from bug to bug and compile only what
# changes. tools/seeded_bugs shows that the simulator finds each.
set(MEDIATOR_SEEDED_BUG "" CACHE STRING "Name of a defect of tests/seeded_bugs to build the core with")
set(core_folder "${CMAKE_SOURCE_DIR}/core")
if(MEDIATOR_SEEDED_BUG)
    set(core_folder "${CMAKE_BINARY_DIR}/seeded/core")
    execute_process(
        COMMAND "${CMAKE_SOURCE_DIR}/tools/seeded_bugs" --plant "${MEDIATOR_SEEDED_BUG}" --into "${core_folder}"
        COMMAND_ERROR_IS_FATAL ANY)
    include_directories(BEFORE "${CMAKE_BINARY_DIR}/seeded") # also where a test says "core/pin.hpp"
    message(STATUS "the core has a defect on purpose: ${MEDIATOR_SEEDED_BUG}")
endif()
