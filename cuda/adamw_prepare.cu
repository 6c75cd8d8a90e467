// What a norm makes of the step after it: clipping, and leaving out a step that is not finite (ewc.h has the formulas).
//
// Bytes moved     some dozens.
// Launch shape    one thread: it stands between two verbs on the stream so that the host need not wait for the norm.
// Determinism     one thread.
#include "adamw.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

__global__ void prepare_from_norm_kernel(const double* norm_squared, double clip_norm, uint32_t flags, int64_t* skipped,
                                         ewc_adamw_values* values) {
    if (threadIdx.x == 0) {
        prepare_adamw(*norm_squared, clip_norm, flags, skipped, *values);
    }
}

} // namespace

ewc_status adamw_prepare(const ewc_exec* exec, const double* norm_squared, double clip_norm, uint32_t flags,
                         int64_t* skipped, ewc_adamw_values* values, ewc_cuda_message* message) {
    return on_device(*exec, message, [&] {
        return launch_kernel(prepare_from_norm_kernel, 1, exec->stream, norm_squared, clip_norm, flags, skipped, values);
    });
}

} // namespace ewc::cuda
