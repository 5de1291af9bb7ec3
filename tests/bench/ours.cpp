// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "tests/bench/subject.hpp"

#include <optee_mediator/mediator.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

namespace bench {

namespace {

constexpr std::align_val_t alignment{64};
constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();

/// Without limits: the curves are to show where the mediator ends, not where a policy does.
optee_mediator_policy policy()
{
    auto limits = optee_mediator_default_policy();
    limits.threads = limits.buffers = limits.pages = no_limit;
    return limits;
}

class OurClient final : public Client {
public:
    explicit OurClient(NullVm& vm) : machine_{vm.machine()}
    {
        auto const limits = policy();
        bytes_ = optee_mediator_vm_bytes(&limits);
        vm_ = static_cast<optee_mediator_vm*>(::operator new(bytes_, alignment));
        machine_.held().bytes += bytes_;
        if (optee_mediator_vm_create(vm_, &vm, vm.client(), &limits) != OPTEE_MEDIATOR_OK)
            throw std::runtime_error{"our mediator does not take the VM"};
    }
    ~OurClient() override
    {
        while (optee_mediator_vm_destroy(vm_) == OPTEE_MEDIATOR_AGAIN) {
        }
        machine_.held().bytes -= bytes_;
        ::operator delete(vm_, alignment);
    }
    OurClient(OurClient const&) = delete;
    OurClient& operator=(OurClient const&) = delete;

    void handle_smc(std::uint64_t* a) override
    {
        optee_smc_frame frame;
        std::copy_n(a, std::size(frame.a), frame.a);
        {
            Inside const inside;
            static_cast<void>(optee_mediator_handle_smc(vm_, &frame));
        }
        std::copy_n(frame.a, std::size(frame.a), a);
    }

private:
    NullMachine& machine_;
    std::size_t bytes_ = 0;
    optee_mediator_vm* vm_ = nullptr;
};

} // namespace

Subject const& ours()
{
    static constexpr Subject subject{
        .name = "ours",
        .most_calls = NullMachine::most_threads,
        .most_buffers = no_limit,
        .most_pages = std::numeric_limits<std::uint64_t>::max(),
        .offers_rpc_arguments = true,
        .probe = [] { return optee_mediator_probe() == OPTEE_MEDIATOR_OK; },
        .make = [](NullVm& vm) -> std::unique_ptr<Client> { return std::make_unique<OurClient>(vm); },
    };
    return subject;
}

} // namespace bench
