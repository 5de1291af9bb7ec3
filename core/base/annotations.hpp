// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Clang's thread-safety analysis reads these (-Wthread-safety); other compilers see nothing.
#if defined(__clang__)
#define MEDIATOR_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define MEDIATOR_THREAD_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) MEDIATOR_THREAD_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY MEDIATOR_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(lock) MEDIATOR_THREAD_ATTRIBUTE(guarded_by(lock))
#define REQUIRES(...) MEDIATOR_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) MEDIATOR_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) MEDIATOR_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
