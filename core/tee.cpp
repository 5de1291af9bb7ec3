// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tee.hpp"

#include "abi/message.hpp"

namespace optee {

namespace {

TeeAnswer issue(optee_smc_frame& frame)
{
    optee_port_smc(&frame);
    return {static_cast<std::uint32_t>(frame.a[0]),
            static_cast<std::uint32_t>(frame.a[1]),
            static_cast<std::uint32_t>(frame.a[2]),
            static_cast<std::uint32_t>(frame.a[3])};
}

} // namespace

TeeAnswer enter_tee(VmContext& vm, TeeEntry const& entry)
{
    optee_smc_frame frame{{static_cast<std::uint32_t>(entry.function),
                           entry.a1,
                           entry.a2,
                           entry.a3,
                           entry.a4,
                           entry.a5,
                           0,
                           static_cast<std::uint16_t>(vm.client)}};
    auto const before = optee_port_counter();
    auto const answer = issue(frame);
    vm.statistics.add(Counter::secure_world_ticks, optee_port_counter() - before);
    vm.statistics.add(Counter::smcs);
    return answer;
}

std::uint32_t mediated_capabilities(TeeAnswer const& answer)
{
    using abi::SecureCapability;
    if (!answer.is(abi::ReturnCode::ok))
        return 0;
    // An OP-TEE whose RPCs need other room than ours has asks for it as it always did, with RPC ALLOC.
    auto const fits = (answer.a3 & abi::rpc_params_mask) == abi::max_rpc_params;
    return answer.a1 & SecureCapability::mediated & (fits ? ~0U : ~SecureCapability::rpc_arg);
}

TeeAnswer enter_tee_as_hypervisor(abi::SmcFunction function, std::uint32_t a1)
{
    optee_smc_frame frame{{static_cast<std::uint32_t>(function), a1, 0, 0, 0, 0, 0, abi::hypervisor_client}};
    return issue(frame);
}

} // namespace optee
