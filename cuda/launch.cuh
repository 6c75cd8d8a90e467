// The one launcher of all verbs: lists of tensors cut into chunks, one thread block a chunk, addresses by value.
//
// A table of up to kSegments segments travels in the kernel's parameters (4 KiB), so nothing is copied to the device and
// nothing allocated; longer lists take several launches. Chunks are of a fixed size, so the partition depends on neither
// the number of multiprocessors nor of threads.
#pragma once

#include <cstdint>
#include <cstdio>

#include <cuda_runtime.h>

#include "cuda_library.h"

namespace ewc::cuda {

// 64 Ki elements keep a block of 256 threads busy for 64 rounds of one 128-bit load each; below that, the search for the
// segment and the launch of blocks show.
constexpr int64_t kDeviceChunk = 65536;
constexpr int kThreads = 256;

// The addresses of `lists` tensor lists for a run of segments.
template <int lists>
struct SegmentTable {
    // 8 bytes an address and list, 8 for the size, 8 for the first chunk, within 4,000 of the 4,096 bytes of parameters.
    static constexpr int kSegments = (4000 - 16) / (8 * lists + 16);

    int segments = 0;
    void* data[lists][kSegments];
    int64_t numel[kSegments];
    int64_t first_chunk[kSegments + 1];
};

// Calls chunk(addresses of the lists at this block's chunk, n) with the block's threads.
template <int lists, typename ChunkFunction>
__device__ void run_chunk(const SegmentTable<lists>& table, const ChunkFunction& function) {
    const int64_t block = blockIdx.x;
    int low = 0;
    int high = table.segments - 1;
    while (low < high) { // the last segment whose first chunk is not beyond this block
        const int middle = (low + high + 1) / 2;
        if (table.first_chunk[middle] <= block) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    const int64_t offset = (block - table.first_chunk[low]) * kDeviceChunk;
    const int64_t left = table.numel[low] - offset;
    float* addresses[lists];
#pragma unroll
    for (int list = 0; list < lists; ++list) {
        addresses[list] = static_cast<float*>(table.data[list][low]) + offset;
    }
    function(addresses, left < kDeviceChunk ? left : kDeviceChunk);
}

template <int lists, typename ChunkFunction>
__global__ void __launch_bounds__(kThreads) chunk_kernel(const __grid_constant__ SegmentTable<lists> table,
                                                         const ChunkFunction function) {
    run_chunk(table, function);
}

// Whether a failure has lost the context, after which nothing on the device works any more.
inline ewc_status status_of(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return EWC_OK;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
        return EWC_UNSUPPORTED;
    case cudaErrorMemoryAllocation:
        return EWC_OUT_OF_MEMORY;
    case cudaErrorInvalidDevice:
        return EWC_INVALID_ARGUMENT;
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
        return EWC_CUDA_FATAL;
    default:
        return EWC_CUDA;
    }
}

inline ewc_status report(cudaError_t error, const char* call, ewc_cuda_message* message) {
    if (error != cudaSuccess) {
        std::snprintf(message->text, sizeof(message->text), "%s: %s (%d): %s", call, cudaGetErrorName(error),
                      static_cast<int>(error), cudaGetErrorString(error));
    }
    return status_of(error);
}

// The calling thread's device for the time of a launch.
class DeviceGuard {
public:
    explicit DeviceGuard(int device) {
        error_ = cudaGetDevice(&before_);
        if (error_ == cudaSuccess && before_ != device) {
            error_ = cudaSetDevice(device);
            changed_ = error_ == cudaSuccess;
        }
    }
    ~DeviceGuard() {
        if (changed_) {
            cudaSetDevice(before_);
        }
    }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;
    cudaError_t error() const { return error_; }

private:
    int before_ = 0;
    bool changed_ = false;
    cudaError_t error_;
};

// Runs function over every chunk of the lists, which the caller has checked to be cut alike. Asynchronous on exec.stream.
template <int lists, typename ChunkFunction>
ewc_status launch(const ewc_exec& exec, const ewc_list* const (&given)[lists], const ChunkFunction& function,
                  ewc_cuda_message* message) {
    const DeviceGuard device(exec.device);
    if (device.error() != cudaSuccess) {
        return report(device.error(), "cudaSetDevice", message);
    }
    SegmentTable<lists> table;
    int64_t chunks = 0;
    const auto flush = [&]() -> cudaError_t {
        table.first_chunk[table.segments] = chunks;
        if (chunks > 0) {
            chunk_kernel<lists><<<static_cast<unsigned>(chunks), kThreads, 0, static_cast<cudaStream_t>(exec.stream)>>>(
                table, function);
        }
        table.segments = 0;
        chunks = 0;
        return cudaGetLastError();
    };
    for (int64_t i = 0; i < given[0]->count; ++i) {
        const int64_t numel = given[0]->numel[i];
        if (numel == 0) {
            continue;
        }
        // A grid has at most 2^31 - 1 blocks: 2^47 elements, beyond any device's memory.
        for (int list = 0; list < lists; ++list) {
            table.data[list][table.segments] = given[list]->data[i];
        }
        table.numel[table.segments] = numel;
        table.first_chunk[table.segments] = chunks;
        chunks += (numel + kDeviceChunk - 1) / kDeviceChunk;
        if (++table.segments == SegmentTable<lists>::kSegments) {
            if (const cudaError_t error = flush(); error != cudaSuccess) {
                return report(error, "kernel launch", message);
            }
        }
    }
    return report(flush(), "kernel launch", message);
}

} // namespace ewc::cuda
