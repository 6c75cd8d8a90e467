// What NVIDIA's profilers are told: named ranges on their time line, by the header-only nvtx3, and where a capture begins and
// ends. Without a profiler attached a range is a test of a pointer.
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define EWC_NVTX 1
#endif

#include <cuda_profiler_api.h>

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

void range_push([[maybe_unused]] const char* name) {
#if defined(EWC_NVTX)
    nvtxRangePushA(name);
#endif
}

void range_pop() {
#if defined(EWC_NVTX)
    nvtxRangePop();
#endif
}

ewc_status profiler_start(int32_t device, ewc_cuda_message* message) {
    return after_all_work(device, cudaProfilerStart, "cudaProfilerStart", message);
}

ewc_status profiler_stop(int32_t device, ewc_cuda_message* message) {
    return after_all_work(device, cudaProfilerStop, "cudaProfilerStop", message);
}

} // namespace ewc::cuda
