# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# Target `boundary`: the public headers. Target `core`: the product, the same freestanding code in every build; only
# MEDIATOR_CORE_FLAGS differs. Target `libcore.o`: all of it in one relocatable object, as a hypervisor would link it
# (only in a MEDIATOR_ONLY_CORE build; the checks of symbols, size and stack look at it).
add_library(boundary INTERFACE)
target_include_directories(boundary INTERFACE "${CMAKE_SOURCE_DIR}/include")

include(seeded_bug) # core_folder
file(GLOB_RECURSE core_sources CONFIGURE_DEPENDS "${core_folder}/*.cpp")
if(NOT core_sources)
    message(FATAL_ERROR "core/ holds no source file: is this a complete clone?")
endif()

separate_arguments(core_flags UNIX_COMMAND "${MEDIATOR_CORE_FLAGS}")
add_library(core STATIC ${core_sources})
target_include_directories(core PUBLIC "${core_folder}")
target_link_libraries(core PUBLIC boundary PRIVATE warnings)
target_compile_options(core PRIVATE
    -ffreestanding
    -fno-exceptions
    -fno-rtti
    -fno-threadsafe-statics
    -fno-use-cxa-atexit
    -fno-unwind-tables
    -fno-asynchronous-unwind-tables
    ${core_flags})

if(MEDIATOR_ONLY_CORE)
    # -fcallgraph-info and -fstack-usage write what tools/stack_check reads.
    target_compile_options(core PRIVATE -ffunction-sections -fstack-usage -fcallgraph-info=su)
    add_custom_command(
        OUTPUT "${CMAKE_BINARY_DIR}/libcore.o"
        COMMAND "${CMAKE_CXX_COMPILER}" -nostdlib -r -o "${CMAKE_BINARY_DIR}/libcore.o" $<TARGET_OBJECTS:core>
        DEPENDS core $<TARGET_OBJECTS:core>
        COMMAND_EXPAND_LISTS VERBATIM)
    add_custom_target(core_object ALL DEPENDS "${CMAKE_BINARY_DIR}/libcore.o")
endif()
