# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# One GoogleTest program per folder of tests/: tests/unit/*.cpp becomes unit_tests, and so on. A new file is found by
# itself; a new folder is named here. GoogleTest is compiled from Debian's source package, so that it has the flags of
# the build (sanitizers, 32-bit Arm) like everything else.
set(MEDIATOR_GOOGLETEST /usr/src/googletest CACHE PATH "Source of GoogleTest (Debian package googletest)")
if(NOT EXISTS "${MEDIATOR_GOOGLETEST}/CMakeLists.txt")
    message(FATAL_ERROR "no GoogleTest in ${MEDIATOR_GOOGLETEST}: run tools/require_packages googletest")
endif()
set(BUILD_GMOCK OFF CACHE BOOL "" FORCE)
set(INSTALL_GTEST OFF CACHE BOOL "" FORCE)
add_subdirectory("${MEDIATOR_GOOGLETEST}" "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)

enable_testing()
include(GoogleTest)

# Half of the time that a test takes to compile goes into the same headers of others: they are compiled once.
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/test_headers.cpp" CONTENT "// nothing: for its precompiled headers\n")
add_library(test_headers OBJECT "${CMAKE_BINARY_DIR}/test_headers.cpp")
target_link_libraries(test_headers PRIVATE core gtest_main warnings)
target_include_directories(test_headers PRIVATE "${CMAKE_SOURCE_DIR}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Clang writes into its precompiled header where the header came from: out of ccache, another clone would be handed one
    # that asks for the files of the clone it was made in. Each clone makes its own, in seconds, and always the same bytes:
    # without the time. What is compiled with it is found in the cache only if ccache understands each option that names a
    # file: CMake's own way to use one hides them behind -Xclang.
    set_target_properties(test_headers PROPERTIES CXX_COMPILER_LAUNCHER "")
    set(CMAKE_CXX_COMPILE_OPTIONS_CREATE_PCH
        -Xclang -emit-pch -Xclang -fno-pch-timestamp -Xclang -include -Xclang <PCH_HEADER> -x c++-header)
    set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -include-pch <PCH_FILE>)
endif()
target_precompile_headers(test_headers PRIVATE <gtest/gtest.h> <algorithm> <functional> <map> <random> <thread> <vector>)

foreach(folder IN ITEMS unit property schedule fuzz scenario conformance sim replay)
    file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${folder}/*.cpp")
    list(FILTER test_sources EXCLUDE REGEX "/main\\.cpp$")
    if(NOT test_sources)
        continue()
    endif()
    set(program "${folder}_tests")
    add_executable(${program} ${test_sources})
    target_include_directories(${program} PRIVATE "${CMAKE_SOURCE_DIR}")
    target_link_libraries(${program} PRIVATE core gtest_main warnings)
    target_precompile_headers(${program} REUSE_FROM test_headers)
    # PRE_TEST: a cross-built program is listed when ctest starts, not in the middle of the build.
    gtest_discover_tests(${program}
        TEST_PREFIX "${folder}: "
        DISCOVERY_MODE PRE_TEST
        DISCOVERY_TIMEOUT 60
        PROPERTIES TIMEOUT "${MEDIATOR_TEST_TIMEOUT}" LABELS "${folder}")
endforeach()

target_compile_definitions(replay_tests PRIVATE "MEDIATOR_TRACES=\"${CMAKE_SOURCE_DIR}/tests/replay\"")
target_compile_definitions(fuzz_tests PRIVATE "MEDIATOR_FUZZ_CORPUS=\"${CMAKE_SOURCE_DIR}/tests/fuzz/corpus.txt\"")

include(attacks)
