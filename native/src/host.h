// The verbs on the host, over checked arguments. options are those of the newest size.
#pragma once

#include "ewc/ewc.h"
#include "verbs.h"

namespace ewc::host {

void convert(const ewc_exec&, const ewc_list& destination, const ewc_list& source);
void fisher_accumulate(const ewc_exec&, const ewc_list& fisher, const ewc_list& gradient, double weight,
                       bool zero_gradient);
void fisher_accumulate_linear(const ewc_exec&, const LinearFisher&, double weight, void* workspace);
void fisher_merge(const ewc_exec&, const ewc_list& fisher, const ewc_list* new_fisher, double retain, double weight);
void fisher_max(const ewc_exec&, const ewc_list& fisher, const ewc_list& new_fisher);
void anchor(const ewc_exec&, AnchorChange, const AnchorLists&, double* energy, void* workspace);
void penalty(const ewc_exec&, const PenaltyLists&, const double* lambda, double* penalty, void* workspace);
void norm(const ewc_exec&, const PenaltyLists&, const double* lambda, double* norm_squared, void* workspace);
void adamw_step(const ewc_exec&, const AdamWLists&, const ewc_adamw_options&, const ewc_adamw_values&,
                AdamWMode, ewc_adamw_statistics*, void* workspace);
void cross_entropy(const ewc_exec&, const CrossEntropy&, double* loss, void* workspace);

void linear(const ewc_exec&, const Linear&);
void linear_backward(const ewc_exec&, const Linear&, void* workspace);

// Bytes of partial sums for a list.
size_t sum_workspace(const ewc_list&);
size_t adamw_workspace(const ewc_list&);

// Bytes of what fisher_accumulate_linear packs; depends on the number of threads.
size_t linear_workspace(const ewc_exec&, const LinearFisher&);

// Bytes of linear_backward's panels and shares; depends on the number of threads.
size_t linear_backward_workspace(const ewc_exec&, const Linear&);

} // namespace ewc::host
