// The verbs on the host, over checked arguments.
#pragma once

#include "ewc/ewc.h"

namespace ewc::host {

void fisher_accumulate(const ewc_exec&, const ewc_list& fisher, const ewc_list& gradient, double weight,
                       bool zero_gradient);
void fisher_merge(const ewc_exec&, const ewc_list& fisher, const ewc_list* new_fisher, double retain, double weight);
void penalty(const ewc_exec&, const ewc_list& theta, const ewc_list& anchor, const ewc_list& fisher,
             const ewc_list* gradient, double lambda, double* penalty, double* partials);
void norm(const ewc_exec&, const ewc_list& gradient, const ewc_list* theta, const ewc_list* anchor,
          const ewc_list* fisher, double lambda, double* norm_squared, double* partials);

struct AdamWLists {
    const ewc_list& theta;
    const ewc_list& first_moment;
    const ewc_list& second_moment;
    const ewc_list& gradient;
    const ewc_list* fisher;
    const ewc_list* anchor;
};
void adamw_step(const ewc_exec&, const AdamWLists&, const ewc_adamw_options&, const ewc_adamw_values&,
                bool zero_gradient, ewc_adamw_statistics*, void* workspace);

// Bytes of partial sums for a list.
size_t sum_workspace(const ewc_list&);
size_t adamw_workspace(const ewc_list&);

} // namespace ewc::host
