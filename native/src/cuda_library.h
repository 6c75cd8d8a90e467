// The one thing that libewc_cuda.so exports, and how libewc.so finds it.
#pragma once

#include <cstddef>

#include "ewc/ewc.h"

// Goes up whenever the table changes; a libewc_cuda.so of another number is refused.
#define EWC_CUDA_TABLE_ABI 1

// Arguments reach the device library checked. Each function leaves a message of its own where it fails.
struct ewc_cuda_message {
    char text[480];
};

struct ewc_cuda_table {
    int abi;
    ewc_status (*device_count)(int32_t* count, ewc_cuda_message*);
    ewc_status (*fisher_accumulate)(const ewc_exec*, const ewc_list* fisher, const ewc_list* gradient, double weight,
                                    bool zero_gradient, ewc_cuda_message*);
};

// Exported by libewc_cuda.so under this name.
using ewc_cuda_table_function = const ewc_cuda_table* (*)();
#define EWC_CUDA_TABLE_SYMBOL "ewc_cuda_table_get"

namespace ewc {

// The device library's table, loaded on the first call; throws Failure(EWC_UNSUPPORTED) with the reason where there is none.
const ewc_cuda_table& cuda_library(const char* verb);

} // namespace ewc
