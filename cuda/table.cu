// What libewc_cuda.so exports: one table. cuda_library.h says how libewc.so finds it.
#include "status.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

ewc_status device_count(int32_t* count, ewc_cuda_message* message) {
    int devices = 0;
    const cudaError_t error = cudaGetDeviceCount(&devices);
    *count = error == cudaSuccess ? devices : 0;
    if (error == cudaSuccess && devices == 0) {
        std::snprintf(message->text, sizeof(message->text), "the CUDA driver sees no device");
        return EWC_UNSUPPORTED;
    }
    return report(error, "cudaGetDeviceCount", message);
}

const ewc_cuda_table table = {
    EWC_CUDA_TABLE_ABI,
    device_count,
    sum_workspace,
    adamw_workspace,
    linear_workspace,
    convert,
    fisher_accumulate,
    fisher_accumulate_linear,
    fisher_merge,
    fisher_max,
    anchor,
    penalty,
    norm,
    adamw_prepare,
    adamw_step,
    cross_entropy,
    range_push,
    range_pop,
    profiler_start,
    profiler_stop,
};

} // namespace
} // namespace ewc::cuda

extern "C" __attribute__((visibility("default"))) const ewc_cuda_table* ewc_cuda_table_get() {
    return &ewc::cuda::table;
}
