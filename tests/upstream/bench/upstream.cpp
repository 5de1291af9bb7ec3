// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/bench/subject.hpp"
#include "tests/upstream/bench/domain.hpp"
#include "tests/upstream/bridge.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace bench {

namespace {

class UpstreamClient final : public Client {
public:
    explicit UpstreamClient(NullVm& vm) : domain_{vm}
    {
        domain_.domain_id = static_cast<std::uint16_t>(vm.client() - 1);
        this_cpu.domain = &domain_;
        if (upstream_domain_init(&domain_) != 0)
            throw std::runtime_error{"upstream's mediator does not take the VM"};
    }
    ~UpstreamClient() override
    {
        this_cpu.domain = &domain_;
        while (upstream_relinquish(&domain_) == -ERESTART) {
        }
    }
    UpstreamClient(UpstreamClient const&) = delete;
    UpstreamClient& operator=(UpstreamClient const&) = delete;

    void handle_smc(std::uint64_t* a) override
    {
        cpu_user_regs regs;
        std::copy_n(a, std::size(regs.x), regs.x);
        this_cpu.domain = &domain_;
        {
            Inside const inside;
            static_cast<void>(upstream_handle_call(&regs));
        }
        std::copy_n(regs.x, std::size(regs.x), a);
    }

private:
    BenchDomain domain_;
};

} // namespace

Subject const& upstream()
{
    // MAX_SHM_BUFFER_COUNT, MAX_SHM_BUFFER_PG in optee.c.
    static constexpr Subject subject{
        .name = "upstream",
        .most_calls = NullMachine::most_threads,
        .most_buffers = 16,
        .most_pages = 129,
        .offers_rpc_arguments = false,
        .probe = [] { return upstream_probe(); },
        .make = [](NullVm& vm) -> std::unique_ptr<Client> { return std::make_unique<UpstreamClient>(vm); },
    };
    return subject;
}

} // namespace bench
