// What NVIDIA's profilers are told: named ranges on their time line, by the header-only nvtx3, which is part of the CUDA
// toolkit, and where a capture begins and ends. Without a profiler attached a range is a test of a pointer.
#include <cuda_profiler_api.h>
#include <nvtx3/nvToolsExt.h>

#include "status.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

// Kernels run behind their launch: without the wait, a capture would begin with the steps before and lack its own last.
ewc_status after_all_work(int32_t device, cudaError_t (*call)(), const char* name, ewc_cuda_message* message) {
    const DeviceGuard guard(device);
    if (guard.error() != cudaSuccess) {
        return report(guard.error(), "cudaSetDevice", message);
    }
    const cudaError_t error = cudaDeviceSynchronize();
    return error == cudaSuccess ? report(call(), name, message) : report(error, "cudaDeviceSynchronize", message);
}

} // namespace

void range_push(const char* name) { nvtxRangePushA(name); }

void range_pop() { nvtxRangePop(); }

ewc_status profiler_start(int32_t device, ewc_cuda_message* message) {
    return after_all_work(device, cudaProfilerStart, "cudaProfilerStart", message);
}

ewc_status profiler_stop(int32_t device, ewc_cuda_message* message) {
    return after_all_work(device, cudaProfilerStop, "cudaProfilerStop", message);
}

} // namespace ewc::cuda
