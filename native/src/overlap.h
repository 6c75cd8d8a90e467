// Whether what a verb writes shares memory with anything else of its call.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "arguments.h"

namespace ewc {

// Two parts of a call that overlap: a list and its segment, or, with segment -1, a region.
struct Overlap {
    struct Part {
        const char* name = nullptr;
        int64_t segment = -1;
    };
    Part written; // no name: nothing overlaps
    Part other;
};

// The first overlap found. Lists that are null are passed over, and so is what has no bytes. Parts are checked already:
// none wraps around the end of the address space. Takes no memory but the stack's, and time in proportion to the
// segments, times one more for each 128 of those that are written.
Overlap find_overlap(std::initializer_list<NamedList> lists, std::initializer_list<Region> regions);

} // namespace ewc
