# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
#
# A fresh clone compiles what another clone compiled before: ccache, where it is installed, with file names relative to
# the clone. The folder is the one that ./run and ./check keep everything in; CCACHE_DIR overrides it as usual.
# The sloppiness is what ccache wants for precompiled headers; nothing here uses __TIME__.
# Not for the core alone: that build is small, and ccache does not keep what -fcallgraph-info writes beside the object.
find_program(MEDIATOR_CCACHE ccache)
if(MEDIATOR_CCACHE AND NOT MEDIATOR_ONLY_CORE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    if(DEFINED ENV{CCACHE_DIR})
        set(ccache_folder "$ENV{CCACHE_DIR}")
    elseif(DEFINED ENV{XDG_CACHE_HOME})
        set(ccache_folder "$ENV{XDG_CACHE_HOME}/optee-mediator/ccache")
    else()
        set(ccache_folder "$ENV{HOME}/.cache/optee-mediator/ccache")
    endif()
    set(launcher "${CMAKE_COMMAND}" -E env
        "CCACHE_DIR=${ccache_folder}" "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=3G
        CCACHE_SLOPPINESS=pch_defines,time_macros
        "CCACHE_EXTRAFILES=${CMAKE_SOURCE_DIR}/cmake/ubsan_ignore.txt"
        "${MEDIATOR_CCACHE}")
    set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()
