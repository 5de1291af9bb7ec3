# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# Target `sim`: the machine model and the port that binds the core to it. The two libraries need each other (the core
# calls optee_port_*, the simulator calls optee_mediator_*), and the linker is told so.
file(GLOB_RECURSE sim_sources CONFIGURE_DEPENDS
     "${CMAKE_SOURCE_DIR}/sim/*.cpp" "${CMAKE_SOURCE_DIR}/ports/sim/*.cpp")
find_package(Threads REQUIRED)

if(sim_sources)
    add_library(sim STATIC ${sim_sources})
    target_include_directories(sim PUBLIC "${CMAKE_SOURCE_DIR}")
    target_link_libraries(sim PUBLIC core Threads::Threads PRIVATE warnings)
    target_link_libraries(core INTERFACE sim)
endif()
