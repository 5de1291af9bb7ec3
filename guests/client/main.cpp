// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#include "client.hpp"

#include <cstdio>
#include <string_view>

int main(int count, char** arguments)
{
    // dom0 reads a console: no line may wait for others.
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::string_view const what = count > 1 ? arguments[1] : "";
    if (what == "share" && count == 2)
        return client::share();
    if (what == "once" && count == 2)
        return client::once();
    if (what == "work" && count == 3)
        return client::work(arguments[2]);
    if (what == "timer" && count == 2)
        return client::timer();
    if (what == "memory" && count == 3)
        return client::memory(arguments[2]);
    if (what == "open" && count == 3)
        return client::open(arguments[2]);
    if (what == "buffers" && count == 2)
        return client::buffers();
    if (what == "wait" && count == 2)
        return client::wait_together();
    std::fprintf(stderr,
                 "usage: client share | client once | client work wait|load|encrypt|register | client timer | "
                 "client memory WHEN | client open crypt|os_test | client buffers | client wait\n");
    return 2;
}
