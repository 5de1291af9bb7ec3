// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// Parameters are judged where they are. Here a copy is judged, and handed out with what was said of it.

#include "parameter.hpp"

namespace optee {

struct JudgedParam {
    abi::Param forwarded;
    CopyBack copy_back;
    ParamNeeds needs;
};

inline Result<JudgedParam> judge(abi::Param const& guest, std::uint32_t index, bool null_allowed)
{
    auto param = guest;
    MEDIATOR_ASSIGN_OR_RETURN(auto const use, judge(param, index, null_allowed));
    return JudgedParam{param, use.copy_back, use.needs};
}

inline Result<JudgedParam> judge_request(abi::Param const& request)
{
    auto param = request;
    MEDIATOR_ASSIGN_OR_RETURN(auto const use, judge_request(param));
    return JudgedParam{param, use.copy_back, use.needs};
}

} // namespace optee
