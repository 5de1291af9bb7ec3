// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "sim/optee/entry_std.hpp"

#include "sim/machine/machine.hpp"
#include "sim/optee/execution.hpp"
#include "sim/optee/optee.hpp"
#include "sim/optee/trusted_apps.hpp"

#include <algorithm>

namespace sim::tee {

namespace {

class StdCall {
public:
    StdCall(Partition& partition, Thread& thread, Message message, std::uint32_t num_params)
        : partition_{partition}, execution_{partition, thread}, message_{std::move(message)}, num_params_{num_params}
    {
    }

    /// False: the command is unknown. Writes ret and ret_origin.
    Task<bool> serve();
    Execution& execution() { return execution_; }

private:
    Task<> open_session();
    Task<> close_session();
    Task<> invoke();
    Task<> cancel();
    Task<> register_shm();
    Task<> unregister_shm();

    std::uint32_t copy_in(std::uint32_t first, AppParams&);
    std::uint32_t temporary(abi::Param const&, AppParam&);
    std::uint32_t registered(abi::Param const&, AppParam&);
    void copy_out(std::uint32_t first, AppParams const&);
    Task<> put_references(std::uint32_t first, AppParams&);
    Task<> put(Buffer const&);
    std::shared_ptr<Session> begin_session();
    bool end_of_opening(std::shared_ptr<Session> const&, std::uint32_t result);
    void answer(std::uint32_t ret, std::uint32_t origin);
    void answer(std::uint32_t ret); ///< where OP-TEE leaves the origin as the caller wrote it
    std::shared_ptr<Session> find_session();

    Machine& machine() const { return partition_.machine(); }
    Vm& vm() const { return partition_.vm(); }

    Partition& partition_;
    Execution execution_;
    Message message_;
    std::uint32_t num_params_;
};

void StdCall::answer(std::uint32_t ret)
{
    if (!partition_.optee().drops_results())
        message_.set_field(abi::arg::ret, ret);
}

void StdCall::answer(std::uint32_t ret, std::uint32_t origin)
{
    answer(ret);
    if (!partition_.optee().drops_results())
        message_.set_field(abi::arg::ret_origin, origin);
}

std::shared_ptr<Session> StdCall::find_session()
{
    auto const id = message_.field(abi::arg::session);
    std::lock_guard const guard{partition_.mutex()};
    auto const place = partition_.sessions.find(id);
    auto const is_there = place != partition_.sessions.end() && !place->second->opening && !place->second->closing;
    return is_there ? place->second : nullptr;
}

std::uint32_t StdCall::temporary(abi::Param const& raw, AppParam& param)
{
    param.size = raw.b;
    if (raw.a == 0) {
        param.size = 0;
        return abi::result::success;
    }
    if ((raw.attr & abi::attr::noncontig) == 0) {
        machine().broken(Invariant::i10, "OP-TEE is given a temporary reference without a page list");
        return abi::result::bad_parameters;
    }
    param.memory = buffer_from_list(machine(), vm(), raw.a, raw.b, raw.c);
    if (!param.memory)
        return abi::result::bad_parameters;
    param.is_temporary = true;
    partition_.add(param.memory);
    return abi::result::success;
}

std::uint32_t StdCall::registered(abi::Param const& raw, AppParam& param)
{
    std::lock_guard const guard{partition_.mutex()};
    auto const buffer = raw.c == 0 ? nullptr : partition_.buffers.find(raw.c);
    if (!buffer) {
        machine().broken(partition_.buffers.keeps_name(raw.c) ? Invariant::i3 : Invariant::i10,
                         "OP-TEE is given a reference to a buffer that is gone or never was");
        return abi::result::bad_parameters;
    }
    if (buffer->guarded)
        machine().broken(Invariant::i10, "OP-TEE is given a reference to a buffer that was not registered");
    if (buffer->references == 0)
        machine().broken(Invariant::panic, "a reference to a buffer that is being released stops OP-TEE");
    param.offset = raw.a;
    param.size = raw.b;
    if (raw.a + raw.b < raw.a || raw.a + raw.b > buffer->size()) {
        machine().broken(Invariant::i10, "OP-TEE is given a reference beyond the end of its buffer");
        return abi::result::security;
    }
    ++buffer->references;
    param.memory = buffer;
    return abi::result::success;
}

// entry_std.c, copy_in_params().
std::uint32_t StdCall::copy_in(std::uint32_t first, AppParams& params)
{
    if (num_params_ - first > abi::max_ta_params)
        return abi::result::bad_parameters;
    for (std::uint32_t n = 0; n < num_params_ - first; ++n) {
        auto const raw = message_.param(first + n);
        auto& param = params[n];
        if ((raw.attr & abi::attr::meta) != 0)
            return abi::result::bad_parameters;
        param.attr = raw.attr & abi::attr::type_mask;
        auto result = abi::result::success;
        if (abi::attr::is_value(param.attr)) {
            param.a = raw.a;
            param.b = raw.b;
        } else if (abi::attr::is_tmem(param.attr)) {
            result = temporary(raw, param);
            param.attr = param.attr - abi::attr::tmem_input + abi::attr::rmem_input;
        } else if (abi::attr::is_rmem(param.attr)) {
            result = registered(raw, param);
        } else if (param.attr != abi::attr::none) {
            result = abi::result::bad_parameters;
        }
        if (result != abi::result::success)
            return result;
    }
    return abi::result::success;
}

// entry_std.c, copy_out_param().
void StdCall::copy_out(std::uint32_t first, AppParams const& params)
{
    for (std::uint32_t n = 0; n < num_params_ - first; ++n) {
        auto const& param = params[n];
        if (param.is_output_value()) {
            message_.set_param_word(first + n, 1, param.a);
            message_.set_param_word(first + n, 2, param.b);
        } else if (param.is_output_memory()) {
            message_.set_param_word(first + n, 2, param.size);
        }
    }
}

Task<> StdCall::put(Buffer const& buffer)
{
    bool last = false;
    {
        std::lock_guard const guard{partition_.mutex()};
        last = --buffer->references == 0;
        if (last && !buffer->releasing)
            partition_.buffers.erase(buffer);
        if (last)
            buffer->let_go();
    }
    if (last && buffer->releasing)
        co_await execution_.wake(buffer->waiting_threads);
}

// entry_std.c, cleanup_shm_refs(). Before commit 51d99cd24 (OP-TEE 4.10 and older) it did not know NONCONTIG.
Task<> StdCall::put_references(std::uint32_t first, AppParams& params)
{
    for (std::uint32_t n = 0; n < std::min(num_params_ - first, abi::max_ta_params); ++n) {
        auto const buffer = std::exchange(params[n].memory, nullptr);
        if (!buffer)
            continue;
        if (params[n].is_temporary &&
            partition_.optee().options().temporary_references == TemporaryReferences::stay_in_the_list) {
            std::lock_guard const guard{partition_.mutex()};
            partition_.buffers.forget_but_keep_name(buffer);
            continue;
        }
        co_await put(buffer);
    }
}

// The id is taken at once, also by what is then not opened.
std::shared_ptr<Session> StdCall::begin_session()
{
    auto session = std::make_shared<Session>();
    session->opening = true;
    std::lock_guard const guard{partition_.mutex()};
    session->id = partition_.next_session();
    partition_.sessions[session->id] = session;
    return session;
}

bool StdCall::end_of_opening(std::shared_ptr<Session> const& session, std::uint32_t result)
{
    std::lock_guard const guard{partition_.mutex()};
    session->opening = false;
    if (result != abi::result::success)
        partition_.sessions.erase(session->id);
    return result == abi::result::success;
}

Task<> StdCall::open_session()
{
    constexpr auto meta = abi::attr::meta | abi::attr::value_input;
    AppParams params{};
    std::shared_ptr<Session> session;
    auto origin = abi::origin::tee;
    if (num_params_ < 2 || message_.param(0).attr != meta || message_.param(1).attr != meta) {
        message_.set_field(abi::arg::session, 0);
        answer(abi::result::bad_parameters, origin);
        co_return;
    }
    auto const uuid = message_.param(0);
    if (!vm().allow_lists().may_allow(uuid.a, uuid.b))
        machine().broken(Invariant::i5, "OP-TEE is asked for a session with a TA that the VM may not have");
    auto result = copy_in(2, params);
    if (result == abi::result::success) {
        session = begin_session();
        result = abi::result::item_not_found;
        if (auto const app = app_of({uuid.a, uuid.b})) {
            session->app = *app;
            result = co_await open_app(execution_, *app);
        } else if (auto const given = execution_.thread().performance) {
            session->app = App::performer;
            co_await perform(execution_, *given);
            result = given->result;
            origin = given->origin;
        }
        if (!end_of_opening(session, result))
            session = nullptr;
        copy_out(2, params);
    }
    co_await put_references(2, params);
    message_.set_field(abi::arg::session, session ? session->id : 0);
    answer(result, origin);
}

Task<> StdCall::close_session()
{
    if (num_params_ != 0) {
        answer(abi::result::bad_parameters, abi::origin::tee);
        co_return;
    }
    auto const session = find_session();
    if (!session) {
        answer(abi::result::item_not_found, abi::origin::tee);
        co_return;
    }
    if (auto const given = execution_.thread().performance)
        co_await perform(execution_, *given);
    co_await execution_.wait_until(session->waiting_for_turn, [&session] { return !session->busy; });
    {
        std::lock_guard const guard{partition_.mutex()};
        session->closing = true;
        partition_.sessions.erase(session->id);
    }
    co_await execution_.wake(session->waiting_for_turn);
    answer(abi::result::success, abi::origin::tee);
}

Task<> StdCall::invoke()
{
    AppParams params{};
    auto origin = abi::origin::tee;
    auto result = copy_in(0, params);
    auto const session = find_session();
    if (result == abi::result::success && !session)
        result = abi::result::bad_parameters;
    if (result == abi::result::success && session->app == App::sleeper) {
        // A second command of a sleeper must get through while the first one sleeps.
        result = co_await invoke_app(execution_, *session, message_.field(abi::arg::func), params);
        origin = abi::origin::trusted_app;
    } else if (result == abi::result::success && session->app == App::performer) {
        auto const given = execution_.thread().performance;
        if (given)
            co_await perform(execution_, *given);
        result = given ? given->result : abi::result::not_supported;
        origin = given ? given->origin : abi::origin::trusted_app;
        copy_out(0, params);
    } else if (result == abi::result::success) {
        co_await execution_.wait_until(session->waiting_for_turn,
                                       [&session] { return !std::exchange(session->busy, true); });
        if (session->closing)
            result = abi::result::bad_parameters;
        else
            result = co_await invoke_app(execution_, *session, message_.field(abi::arg::func), params);
        {
            std::lock_guard const guard{partition_.mutex()};
            session->busy = false;
        }
        co_await execution_.wake(session->waiting_for_turn);
        origin = abi::origin::trusted_app;
        copy_out(0, params);
    }
    co_await put_references(0, params);
    answer(result, origin);
}

Task<> StdCall::cancel()
{
    auto const session = num_params_ == 0 ? find_session() : nullptr;
    if (!session) {
        answer(abi::result::bad_parameters, abi::origin::tee);
        co_return;
    }
    {
        std::lock_guard const guard{partition_.mutex()};
        session->cancelled = true;
    }
    co_await execution_.wake(session->waiting_for_signal);
    answer(abi::result::success, abi::origin::tee);
}

Task<> StdCall::register_shm()
{
    auto const param = num_params_ == 1 ? message_.param(0) : abi::Param{};
    if (param.attr != (abi::attr::tmem_output | abi::attr::noncontig)) {
        answer(abi::result::bad_parameters);
        co_return;
    }
    co_await execution_.interruptible();
    if (auto const odd = partition_.optee().odd_result(abi::cmd::register_shm)) {
        answer(*odd, abi::origin::tee);
        co_return;
    }
    auto const buffer = buffer_from_list(machine(), vm(), param.a, param.b, param.c);
    if (buffer) {
        buffer->guarded = false;
        partition_.add(buffer);
    }
    answer(buffer ? abi::result::success : abi::result::bad_parameters);
}

// mobj_dyn_shm.c, mobj_reg_shm_release_by_cookie(): waits until no call uses the buffer any more.
Task<> StdCall::unregister_shm()
{
    if (num_params_ != 1) {
        answer(abi::result::bad_parameters, abi::origin::tee);
        co_return;
    }
    co_await execution_.interruptible();
    if (auto const odd = partition_.optee().odd_result(abi::cmd::unregister_shm)) {
        answer(*odd, abi::origin::tee);
        co_return;
    }
    auto const cookie = message_.param(0).c;
    Buffer buffer;
    bool free_now = false;
    {
        std::lock_guard const guard{partition_.mutex()};
        buffer = partition_.buffers.find(cookie);
        if (buffer && (buffer->guarded || buffer->releasing))
            buffer = nullptr;
        if (buffer) {
            buffer->releasing = true;
            free_now = --buffer->references == 0;
        }
    }
    if (!buffer) {
        machine().broken(Invariant::i10, "OP-TEE is asked to release a buffer that no VM registered");
        answer(abi::result::bad_parameters);
        co_return;
    }
    if (!free_now)
        co_await execution_.wait_until(buffer->waiting_threads, [&buffer] { return buffer->references == 0; });
    partition_.remove(buffer);
    answer(abi::result::success);
}

Task<bool> StdCall::serve()
{
    co_await execution_.interruptible();
    switch (message_.field(abi::arg::cmd)) {
    case abi::cmd::open_session:   co_await open_session(); break;
    case abi::cmd::invoke_command: co_await invoke(); break;
    case abi::cmd::close_session:  co_await close_session(); break;
    case abi::cmd::cancel:         co_await cancel(); break;
    case abi::cmd::register_shm:   co_await register_shm(); break;
    case abi::cmd::unregister_shm: co_await unregister_shm(); break;
    default:                       co_return false;
    }
    co_return true;
}

/// I10 and I15 on what OP-TEE sees of a message: only what the mediator knows, nothing after it.
void inspect(Machine& machine, Message const& message, std::uint32_t num_params, std::uint32_t bytes)
{
    if (message.field(abi::arg::pad) != 0)
        machine.broken(Invariant::i10, "OP-TEE sees a reserved field that is not zero");
    if (message.field(abi::arg::cmd) > abi::cmd::unregister_shm)
        machine.broken(Invariant::i10, "OP-TEE sees a command that the mediator does not know");
    for (std::uint32_t n = 0; n < num_params; ++n) {
        auto const param = message.param(n);
        auto const known =
            (param.attr & ~abi::attr::known) == 0 &&
            ((param.attr & abi::attr::type_mask) == abi::attr::none || abi::attr::is_value(param.attr) ||
             abi::attr::is_rmem(param.attr) || abi::attr::is_tmem(param.attr));
        if (!known)
            machine.broken(Invariant::i10, "OP-TEE sees an attribute that the mediator does not know");
    }
    if (!message.buffer()->is_zero_from(message.offset() + bytes))
        machine.broken(Invariant::i15, "a shadow page has something after its message");
}

/// thread_optee_smc.c, std_entry_with_parg() and std_entry_with_regd_arg(): finds the message.
Buffer buffer_with_message(Partition& partition, optee_smc_frame const& frame)
{
    auto const address = abi::joined(frame.a[1], frame.a[2]);
    if (static_cast<std::uint32_t>(frame.a[0]) == abi::smc::call_with_regd_arg) {
        std::lock_guard const guard{partition.mutex()};
        auto buffer = address == 0 ? nullptr : partition.buffers.find(address);
        partition.machine().broken(Invariant::i10, "OP-TEE would read a message in a guest's memory");
        return buffer;
    }
    if ((address & page_mask) != 0)
        return nullptr;
    auto buffer = SharedBuffer::make(partition.machine(), partition.vm(), {address}, 0, 0);
    if (buffer && !buffer->is_shadow())
        partition.machine().broken(Invariant::i10, "OP-TEE is given a message in a guest's memory");
    return buffer;
}

} // namespace

Task<std::uint32_t> entry_std(Partition& partition, Thread& thread, optee_smc_frame frame)
{
    auto const function = static_cast<std::uint32_t>(frame.a[0]);
    if (function != abi::smc::call_with_arg && function != abi::smc::call_with_rpc_arg &&
        function != abi::smc::call_with_regd_arg)
        co_return abi::ret::bad_command;
    auto const with_rpc_argument = function != abi::smc::call_with_arg;
    auto const offset = function == abi::smc::call_with_regd_arg ? frame.a[3] & 0xffff'ffff : 0;

    auto const buffer = buffer_with_message(partition, frame);
    if (!buffer || offset + abi::header_bytes > buffer->size() || offset % 8 != 0)
        co_return abi::ret::bad_address;
    Message message{buffer, offset};
    auto const num_params = message.field(abi::arg::num_params);
    auto const own = abi::arg::bytes(num_params);
    auto const all = own + (with_rpc_argument ? abi::arg::bytes(abi::max_rpc_params) : 0);
    if (num_params > abi::max_params || offset + all > buffer->size())
        co_return abi::ret::bad_address;
    inspect(partition.machine(), message, num_params, own); // the room for RPCs is empty, too

    StdCall call{partition, thread, message, num_params};
    if (with_rpc_argument) {
        bool caches = false;
        {
            std::lock_guard const guard{partition.mutex()};
            caches = partition.caches_rpc_arguments;
        }
        if (caches)
            co_await call.execution().drop_rpc_argument();
        thread.rpc_message = Message{buffer, offset + own};
    }
    auto const known = co_await call.serve();
    co_await call.execution().end_of_call(with_rpc_argument);
    co_return known ? abi::ret::ok : abi::ret::bad_command;
}

} // namespace sim::tee
