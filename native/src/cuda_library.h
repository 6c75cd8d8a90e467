// The one thing that libewc_cuda.so exports, and how libewc.so finds it.
#pragma once

#include <cstddef>

#include "ewc/ewc.h"
#include "verbs.h"

// Goes up whenever the table changes; a libewc_cuda.so of another number is refused.
#define EWC_CUDA_TABLE_ABI 7

// Arguments reach the device library checked. Each function leaves a message of its own where it fails.
struct ewc_cuda_message {
    char text[480];
};

struct ewc_cuda_table {
    int abi;
    ewc_status (*device_count)(int32_t* count, ewc_cuda_message*);
    size_t (*sum_workspace)(const ewc_list*);
    size_t (*adamw_workspace)(const ewc_list*);
    size_t (*linear_workspace)(const ewc::LinearFisher*);
    ewc_status (*convert)(const ewc_exec*, const ewc_list* destination, const ewc_list* source, ewc_cuda_message*);
    ewc_status (*fisher_accumulate)(const ewc_exec*, const ewc_list* fisher, const ewc_list* gradient, double weight,
                                    bool zero_gradient, ewc_cuda_message*);
    ewc_status (*fisher_accumulate_linear)(const ewc_exec*, const ewc::LinearFisher*, double weight, void* workspace,
                                           ewc_cuda_message*);
    ewc_status (*fisher_merge)(const ewc_exec*, const ewc_list* fisher, const ewc_list* new_fisher, double retain,
                               double weight, ewc_cuda_message*);
    ewc_status (*fisher_max)(const ewc_exec*, const ewc_list* fisher, const ewc_list* new_fisher, ewc_cuda_message*);
    ewc_status (*anchor)(const ewc_exec*, ewc::AnchorChange, const ewc::AnchorLists*, double* energy, void* workspace,
                         ewc_cuda_message*);
    ewc_status (*penalty)(const ewc_exec*, const ewc::PenaltyLists*, const double* lambda, double* penalty,
                          void* workspace, ewc_cuda_message*);
    ewc_status (*norm)(const ewc_exec*, const ewc::PenaltyLists*, const double* lambda, double* norm_squared,
                       void* workspace, ewc_cuda_message*);
    ewc_status (*adamw_prepare)(const ewc_exec*, const double* norm_squared, double clip_norm, uint32_t flags,
                                int64_t* skipped, ewc_adamw_values*, ewc_cuda_message*);
    ewc_status (*adamw_step)(const ewc_exec*, const ewc::AdamWLists*, const ewc_adamw_options*,
                             const ewc_adamw_values*, ewc::AdamWMode, ewc_adamw_statistics*, void* workspace,
                             ewc_cuda_message*);
    ewc_status (*cross_entropy)(const ewc_exec*, const ewc::CrossEntropy*, double* loss, void* workspace,
                                ewc_cuda_message*);
    void (*range_push)(const char* name);
    void (*range_pop)();
    ewc_status (*profiler_start)(int32_t device, ewc_cuda_message*);
    ewc_status (*profiler_stop)(int32_t device, ewc_cuda_message*);
};

// Exported by libewc_cuda.so under this name.
using ewc_cuda_table_function = const ewc_cuda_table* (*)();
#define EWC_CUDA_TABLE_SYMBOL "ewc_cuda_table_get"

namespace ewc {

// The device library's table, loaded on the first call; throws Failure(EWC_UNSUPPORTED) with the reason where there is none.
const ewc_cuda_table& cuda_library(const char* verb);

// The same, null where there is none.
const ewc_cuda_table* cuda_library_or_null();

// For tests: take this table from now on; null restores the library's.
void force_cuda_library(const ewc_cuda_table* table);

} // namespace ewc
