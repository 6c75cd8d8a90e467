// Argument checks. Each message names verb, parameter, what was expected and what came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "ewc/ewc.h"

namespace ewc {

// A list under the name that the header gives it.
struct NamedList {
    const char* name;
    const ewc_list* list;
};

class Arguments {
public:
    // exec is checked at once: there, a device number of -1 or more, threads not negative.
    Arguments(const char* verb, const ewc_exec* exec);

    [[noreturn]] void invalid(const std::string& message) const;
    [[noreturn]] void unsupported(const std::string& message) const;

    void require(const char* parameter, const void* pointer) const;
    void finite(const char* parameter, double value) const;
    void flags(uint32_t given, uint32_t known) const;
    // Every list there, f32, well formed, and cut like the first.
    void lists(std::initializer_list<NamedList> lists) const;
    void workspace(const void* workspace, size_t given, size_t needed) const;

private:
    void list(const NamedList& named) const;
    void same_cut(const NamedList& first, const NamedList& other) const;

    const char* verb_;
};

} // namespace ewc
