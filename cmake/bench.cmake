# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# `host_bench`: our mediator and Xen's over a machine that does nothing, in one process; ./bench --host builds and starts
# it. It needs Xen's source, as attack_tests_upstream does, and Google Benchmark and valgrind's header.
if(TARGET xen_mediator)
    find_package(benchmark QUIET)
    find_path(MEDIATOR_VALGRIND valgrind/callgrind.h)
endif()
if(benchmark_FOUND AND MEDIATOR_VALGRIND)
    # A copy, since the flags of a source file are those of all targets.
    configure_file("${xen}/tee/optee.c" "${CMAKE_BINARY_DIR}/unwatched/optee.c" COPYONLY)
    add_library(xen_mediator_unwatched OBJECT EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/unwatched/optee.c" "${shim}/tee_entry.c")
    target_include_directories(xen_mediator_unwatched PRIVATE "${CMAKE_SOURCE_DIR}" "${shim}/include" "${xen}/include")
    set_target_properties(xen_mediator_unwatched PROPERTIES C_EXTENSIONS ON)
    target_compile_options(xen_mediator_unwatched PRIVATE -w -O2 -fno-strict-aliasing -include xen/config.h)

    file(GLOB bench_sources CONFIGURE_DEPENDS
        "${CMAKE_SOURCE_DIR}/tests/bench/*.cpp" "${CMAKE_SOURCE_DIR}/tests/upstream/bench/*.cpp")
    # The core's objects, not its library: that one brings the simulator's port.
    add_executable(host_bench EXCLUDE_FROM_ALL ${bench_sources} $<TARGET_OBJECTS:core>)
    target_include_directories(host_bench PRIVATE "${CMAKE_SOURCE_DIR}")
    target_link_libraries(host_bench PRIVATE boundary xen_mediator_unwatched benchmark::benchmark warnings)
endif()
