// The verbs of the table, one a .cu. Arguments are checked; asynchronous on exec's stream.
#pragma once

#include "cuda_library.h"

namespace ewc::cuda {

size_t sum_workspace(const ewc_list* list);
size_t adamw_workspace(const ewc_list* list);
size_t linear_workspace(const LinearFisher* linear);

ewc_status convert(const ewc_exec*, const ewc_list* destination, const ewc_list* source, ewc_cuda_message*);
ewc_status fisher_accumulate(const ewc_exec*, const ewc_list* fisher, const ewc_list* gradient, double weight,
                             bool zero_gradient, ewc_cuda_message*);
ewc_status fisher_accumulate_linear(const ewc_exec*, const LinearFisher*, double weight, void* workspace,
                                    ewc_cuda_message*);
ewc_status fisher_merge(const ewc_exec*, const ewc_list* fisher, const ewc_list* new_fisher, double retain,
                        double weight, ewc_cuda_message*);
ewc_status fisher_max(const ewc_exec*, const ewc_list* fisher, const ewc_list* new_fisher, ewc_cuda_message*);
ewc_status anchor(const ewc_exec*, AnchorChange, const AnchorLists*, double* energy, void* workspace,
                  ewc_cuda_message*);
ewc_status penalty(const ewc_exec*, const PenaltyLists*, const double* lambda, double* penalty, void* workspace,
                   ewc_cuda_message*);
ewc_status norm(const ewc_exec*, const PenaltyLists*, const double* lambda, double* norm_squared, void* workspace,
                ewc_cuda_message*);
ewc_status adamw_prepare(const ewc_exec*, const double* norm_squared, double clip_norm, uint32_t flags, int64_t* skipped,
                         ewc_adamw_values*, ewc_cuda_message*);
ewc_status adamw_step(const ewc_exec*, const AdamWLists*, const ewc_adamw_options*, const ewc_adamw_values*,
                      AdamWMode, ewc_adamw_statistics*, void* workspace, ewc_cuda_message*);
ewc_status cross_entropy(const ewc_exec*, const CrossEntropy*, double* loss, void* workspace, ewc_cuda_message*);

void range_push(const char* name);
void range_pop();
ewc_status profiler_start(int32_t device, ewc_cuda_message*);
ewc_status profiler_stop(int32_t device, ewc_cuda_message*);

} // namespace ewc::cuda
