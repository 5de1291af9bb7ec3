# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# Programs that test for as long as they are told to: tools/schedules, tools/soak, tools/replay and tools/fuzz build and start them. They
# are not part of `all`.
add_executable(schedules EXCLUDE_FROM_ALL
    "${CMAKE_SOURCE_DIR}/tests/campaigns/schedules.cpp"
    "${CMAKE_SOURCE_DIR}/tests/schedule/operations.cpp"
    "${CMAKE_SOURCE_DIR}/tests/schedule/stage.cpp")
target_link_libraries(schedules PRIVATE core warnings)

add_executable(soak EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/tests/campaigns/soak.cpp")
target_link_libraries(soak PRIVATE core warnings)

file(GLOB replay_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/replay/*.cpp")
list(FILTER replay_sources EXCLUDE REGEX "_test\\.cpp$")
add_executable(replay EXCLUDE_FROM_ALL ${replay_sources})
target_include_directories(replay PRIVATE "${CMAKE_SOURCE_DIR}")
target_link_libraries(replay PRIVATE core warnings)

# Only clang has libFuzzer, which brings its own main().
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_executable(fuzzer EXCLUDE_FROM_ALL
        "${CMAKE_SOURCE_DIR}/tests/campaigns/fuzzer.cpp"
        "${CMAKE_SOURCE_DIR}/tests/fuzz/player.cpp"
        "${CMAKE_SOURCE_DIR}/tests/fuzz/hostile_guest.cpp")
    target_link_libraries(fuzzer PRIVATE core warnings)
    target_link_options(fuzzer PRIVATE -fsanitize=fuzzer)
endif()
