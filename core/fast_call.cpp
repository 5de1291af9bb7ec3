// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "fast_call.hpp"

namespace optee {

namespace {

using abi::ReturnCode;
using abi::SecureCapability;
using abi::SmcFunction;

void set_code(optee_smc_frame& frame, ReturnCode code)
{
    frame.a[0] = static_cast<std::uint32_t>(code);
}

} // namespace

void calls_uid(Vm& vm, optee_smc_frame& frame)
{
    auto const& uid = vm.facts().calls_uid;
    frame.a[0] = uid.a0;
    frame.a[1] = uid.a1;
    frame.a[2] = uid.a2;
    frame.a[3] = uid.a3;
}

void calls_revision(Vm& vm, optee_smc_frame& frame)
{
    frame.a[0] = vm.facts().calls_revision.a0;
    frame.a[1] = vm.facts().calls_revision.a1;
}

void os_uuid(Vm& vm, optee_smc_frame& frame)
{
    auto const& uuid = vm.facts().os_uuid;
    frame.a[0] = uuid.a0;
    frame.a[1] = uuid.a1;
    frame.a[2] = uuid.a2;
    frame.a[3] = uuid.a3;
}

void os_revision(Vm& vm, optee_smc_frame& frame)
{
    auto const& revision = vm.facts().os_revision;
    frame.a[0] = revision.a0;
    frame.a[1] = revision.a1;
    frame.a[2] = revision.a2; // the build, where OP-TEE tells it
}

// Static shared memory is one area for the whole machine: no VM gets it.
void shm_config(optee_smc_frame& frame)
{
    set_code(frame, ReturnCode::not_available);
}

void exchange_capabilities(Vm& vm, optee_smc_frame& frame)
{
    auto& context = vm.context();
    auto const answer = enter_tee(
        context,
        {.function = SmcFunction::exchange_capabilities, .a1 = frame.a[1] & abi::NormalCapability::uniprocessor});
    auto const offered = mediated_capabilities(answer);
    if ((offered & SecureCapability::dynamic_shm) == 0) {
        set_code(frame, ReturnCode::not_available);
        return;
    }
    auto const granted = offered & context.policy.capabilities();
    set_code(frame, ReturnCode::ok);
    frame.a[1] = granted;
    // a2, the number of asynchronous notifications, belongs to a capability that is not mediated.
    if ((granted & SecureCapability::rpc_arg) != 0)
        frame.a[3] = abi::max_rpc_params;
}

void thread_count(Vm& vm, optee_smc_frame& frame)
{
    set_code(frame, ReturnCode::ok);
    frame.a[1] = vm.threads();
}

void enable_shm_cache(Vm& vm, optee_smc_frame& frame)
{
    auto const answer = enter_tee(vm.context(), {.function = SmcFunction::enable_shm_cache});
    set_code(frame, answer.is_known_code() ? static_cast<ReturnCode>(answer.a0) : ReturnCode::not_available);
}

// OP-TEE gives its cached argument pages back, one at a time. It is believed only for those that this VM gave it, and
// not while a request is under way in one.
void disable_shm_cache(Vm& vm, optee_smc_frame& frame)
{
    auto& context = vm.context();
    auto const answer = enter_tee(context, {.function = SmcFunction::disable_shm_cache});
    if (!answer.is(ReturnCode::ok)) {
        set_code(frame, answer.is_known_code() ? static_cast<ReturnCode>(answer.a0) : ReturnCode::not_available);
        return;
    }
    auto const cookie = RegisterPair::from_halves(answer.a1, answer.a2);
    auto const argument = vm.registry().take_cached_argument(context, Cookie{cookie.raw()});
    if (!argument.ok()) {
        context.statistics.add(Counter::tee_anomalies);
        context.trace.record(Event::anomaly, 0, static_cast<std::uint32_t>(SmcFunction::disable_shm_cache));
        set_code(frame, ReturnCode::not_available);
        return;
    }
    release_argument(context, vm.registry(), argument.get());
    set_code(frame, ReturnCode::ok);
    frame.a[1] = cookie.high_half();
    frame.a[2] = cookie.low_half();
}

} // namespace optee
