#pragma once

#include "cuda_library.h"

namespace ewc::cuda {

ewc_status fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient, double weight,
                             bool zero_gradient, ewc_cuda_message* message);

} // namespace ewc::cuda
