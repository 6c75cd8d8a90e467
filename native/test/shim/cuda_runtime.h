// A host shim of what cuda/ uses of the CUDA runtime, so that its sources compile as C++ and its kernels run, thread by
// thread, where there is no GPU. It takes the place of the real header for the contract tests alone.
//
// Each thread of a block is a fiber with a stack of its own. A fiber runs until a barrier or shuffle, then the next one
// does; the threads of our kernels all pass the same barriers, so one round over the block is one barrier. Blocks run one
// after the other. That shows wrong indices, wrong arithmetic and missing barriers where a thread reads what a later one
// writes; it shows nothing of timing, and not every race.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    dim3() = default;
    explicit dim3(unsigned size) : x(size) {}
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

namespace shim {

extern dim3 thread;
extern dim3 block;

// Ends this fiber's turn: all threads of the block come here before any goes on.
void barrier();

// The value that thread `from` of the warp hands in; threads beyond the warp give their own.
uint64_t exchange(uint64_t mine, unsigned from);

// Runs body once for each thread of each block.
void run(unsigned blocks, unsigned threads, const std::function<void()>& body);

template <typename T>
T exchange_as(T mine, unsigned from) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &mine, sizeof(T));
    bits = exchange(bits, from);
    __builtin_memcpy(&mine, &bits, sizeof(T));
    return mine;
}

} // namespace shim

#define threadIdx shim::thread
#define blockIdx shim::block

inline void __syncthreads() { shim::barrier(); }

template <typename T>
T __shfl_down_sync(unsigned, T value, int distance) {
    const unsigned lane = threadIdx.x % 32, from = lane + static_cast<unsigned>(distance);
    return shim::exchange_as(value, threadIdx.x - lane + (from < 32 ? from : lane));
}

template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    const unsigned lane = threadIdx.x % 32;
    return shim::exchange_as(value, threadIdx.x - lane + (lane ^ static_cast<unsigned>(mask)));
}

template <typename T>
T __ldg(const T* address) {
    if (reinterpret_cast<uintptr_t>(address) % sizeof(T) != 0) {
        __builtin_trap(); // what a device answers to a misaligned access
    }
    return *address;
}

namespace shim {
inline std::string calls; // of the runtime, in order, where a test looks at it
constexpr int kMostDevices = 8;
inline int devices = 1;
inline int device = 0;          // of the one thread that tests have
inline bool in_use[kMostDevices] = {true}; // whether a device has a context
} // namespace shim

using cudaStream_t = void*;
enum cudaError_t {
    cudaSuccess,
    cudaErrorMemoryAllocation,
    cudaErrorInvalidDevice,
    cudaErrorNoDevice,
    cudaErrorInsufficientDriver,
    cudaErrorStubLibrary,
    cudaErrorNoKernelImageForDevice,
    cudaErrorUnsupportedPtxVersion,
    cudaErrorJitCompilerNotFound,
    cudaErrorJitCompilationDisabled,
    cudaErrorSystemNotReady,
    cudaErrorSystemDriverMismatch,
    cudaErrorCompatNotSupportedOnDevice,
    cudaErrorSymbolNotFound,
    cudaErrorInvalidConfiguration,
    cudaErrorIllegalAddress,
    cudaErrorLaunchTimeout,
    cudaErrorAssert,
    cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction,
    cudaErrorMisalignedAddress,
    cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,
    cudaErrorLaunchFailure,
    cudaErrorMpsClientTerminated,
    cudaErrorECCUncorrectable,
    cudaErrorNvlinkUncorrectable,
};
inline const char* cudaGetErrorName(cudaError_t) { return "an error of the shim"; }
inline const char* cudaGetErrorString(cudaError_t) { return "no device is behind it"; }
inline cudaError_t cudaGetDevice(int* device) { return *device = shim::device, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { // makes a context, as since CUDA 12
    if (device < 0 || device >= shim::devices) {
        return cudaErrorInvalidDevice;
    }
    shim::device = device;
    shim::in_use[device] = true;
    return cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() { return shim::calls += "synchronize ", cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = shim::devices, cudaSuccess; }

enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess, cudaDriverEntryPointSymbolNotFound };
constexpr unsigned long long cudaEnableDefault = 0;
inline int cuDevicePrimaryCtxGetState(int device, unsigned*, int* active) { return *active = shim::in_use[device], 0; }
inline cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long,
                                                    cudaDriverEntryPointQueryResult* result) {
    const bool found = std::string(symbol) == "cuDevicePrimaryCtxGetState";
    *function = found ? reinterpret_cast<void*>(cuDevicePrimaryCtxGetState) : nullptr;
    *result = found ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return found ? cudaSuccess : cudaErrorSymbolNotFound;
}

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    shim::run(config->gridDim.x, config->blockDim.x, [&] { kernel(arguments...); });
    return cudaSuccess;
}
