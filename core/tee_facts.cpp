// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tee_facts.hpp"

#include <algorithm>

namespace optee {

namespace {

using abi::SecureCapability;
using abi::SmcFunction;

bool is_optee(TeeAnswer const& uid)
{
    return uid.a0 == abi::MessageUid::word_0 && uid.a1 == abi::MessageUid::word_1 &&
           uid.a2 == abi::MessageUid::word_2 && uid.a3 == abi::MessageUid::word_3;
}

// An OP-TEE that does not tell has at least one.
std::uint32_t thread_count()
{
    auto const answer = enter_tee_as_hypervisor(SmcFunction::get_thread_count, 0);
    return answer.is(abi::ReturnCode::ok) ? std::clamp(answer.a1, 1U, max_threads) : 1;
}

} // namespace

optee_mediator_status probe(TeeFacts& facts)
{
    facts = {};
    auto const uid = enter_tee_as_hypervisor(SmcFunction::calls_uid, 0);
    if (!is_optee(uid))
        return OPTEE_MEDIATOR_NOT_OPTEE;
    auto const capabilities = enter_tee_as_hypervisor(SmcFunction::exchange_capabilities, 0);
    if (!capabilities.is(abi::ReturnCode::ok) || (capabilities.a1 & SecureCapability::virtualization) == 0) {
        optee_port_log(OPTEE_LOG_INFO, "OP-TEE serves one VM only: build it with CFG_NS_VIRTUALIZATION=y", 0);
        return OPTEE_MEDIATOR_NO_VIRTUALIZATION;
    }
    if ((capabilities.a1 & SecureCapability::dynamic_shm) == 0) {
        optee_port_log(OPTEE_LOG_INFO, "OP-TEE cannot use a VM's memory: build it with CFG_CORE_DYN_SHM=y", 0);
        return OPTEE_MEDIATOR_NO_DYNAMIC_SHM;
    }
    facts.calls_uid = uid;
    facts.calls_revision = enter_tee_as_hypervisor(SmcFunction::calls_revision, 0);
    facts.os_uuid = enter_tee_as_hypervisor(SmcFunction::get_os_uuid, 0);
    facts.os_revision = enter_tee_as_hypervisor(SmcFunction::get_os_revision, 0);
    facts.threads = thread_count();
    optee_port_log(OPTEE_LOG_INFO, "yielding calls at once, for each VM", facts.threads);
    return OPTEE_MEDIATOR_OK;
}

} // namespace optee
