// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "statistics.hpp"

namespace optee {

char const* counter_name(Counter counter)
{
    switch (counter) {
    case Counter::fast_calls:                          return "fast_calls";
    case Counter::unknown_calls:                       return "unknown_calls";
    case Counter::open_session:                        return "open_session";
    case Counter::invoke_command:                      return "invoke_command";
    case Counter::close_session:                       return "close_session";
    case Counter::cancel:                              return "cancel";
    case Counter::register_shm:                        return "register_shm";
    case Counter::unregister_shm:                      return "unregister_shm";
    case Counter::with_rpc_arg:                        return "with_rpc_arg";
    case Counter::with_regd_arg:                       return "with_regd_arg";
    case Counter::resumes:                             return "resumes";
    case Counter::rpc_alloc:                           return "rpc_alloc";
    case Counter::rpc_free:                            return "rpc_free";
    case Counter::rpc_command:                         return "rpc_command";
    case Counter::rpc_shm_alloc:                       return "rpc_shm_alloc";
    case Counter::rpc_shm_free:                        return "rpc_shm_free";
    case Counter::foreign_interrupts:                  return "foreign_interrupts";
    case Counter::foreign_interrupts_over_bound:       return "foreign_interrupts_over_bound";
    case Counter::foreign_interrupts_resumed_in_place: return "foreign_interrupts_resumed_in_place";
    case Counter::preemptions:                         return "preemptions";
    case Counter::thread_limit:                        return "thread_limit";
    case Counter::bad_address:                         return "bad_address";
    case Counter::bad_command:                         return "bad_command";
    case Counter::not_available:                       return "not_available";
    case Counter::resume_failed:                       return "resume_failed";
    case Counter::bad_parameters:                      return "bad_parameters";
    case Counter::out_of_memory:                       return "out_of_memory";
    case Counter::buffer_busy:                         return "buffer_busy";
    case Counter::ta_refused:                          return "ta_refused";
    case Counter::over_quota:                          return "over_quota";
    case Counter::answers_refused:                     return "answers_refused";
    case Counter::requests_failed:                     return "requests_failed";
    case Counter::tee_anomalies:                       return "tee_anomalies";
    case Counter::calls_quarantined:                   return "calls_quarantined";
    case Counter::calls_drained:                       return "calls_drained";
    case Counter::smcs:                                return "smcs";
    case Counter::secure_world_ticks:                  return "secure_world_ticks";
    case Counter::calls_live:                          return "calls_live";
    case Counter::buffers_live:                        return "buffers_live";
    case Counter::pages_live:                          return "pages_live";
    case Counter::arguments_live:                      return "arguments_live";
    case Counter::mediator_pages:                      return "mediator_pages";
    case Counter::end:                                 return nullptr;
    }
    return nullptr;
}

void Statistics::add(Counter counter, std::uint64_t amount)
{
    at(counter).fetch_add(amount, std::memory_order_relaxed);
}

void Statistics::subtract(Counter counter, std::uint64_t amount)
{
    at(counter).fetch_sub(amount, std::memory_order_relaxed);
}

} // namespace optee
