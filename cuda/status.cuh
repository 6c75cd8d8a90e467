// CUDA's errors as this library's statuses, and the calling thread's device for the time of a verb.
#pragma once

#include <cstdio>

#include <cuda_runtime.h>

#include "cuda_library.h"

namespace ewc::cuda {

// Whether a failure has lost the context, after which nothing on the device works any more.
inline ewc_status status_of(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return EWC_OK;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
    // A GPU older than all machine code here, or newer and without a compiler that takes our PTX.
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
    // A driver of which a part is not running (NVSwitch's fabric manager, say), is of another version, or is too old.
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
        return EWC_UNSUPPORTED;
    case cudaErrorMemoryAllocation:
        return EWC_OUT_OF_MEMORY;
    case cudaErrorInvalidDevice:
        return EWC_INVALID_ARGUMENT;
    // Those of which CUDA says that the process must be ended, and what hardware cannot mend.
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorMpsClientTerminated:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
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

// Whether anything of this process lives on the device. Asked of the driver by way of the runtime, as libewc_cuda.so must
// load where there is no libcuda.so; where the driver does not say, it is taken to be so.
inline bool has_context(int device) {
    using GetState = int (*)(int device, unsigned* flags, int* active); // cuDevicePrimaryCtxGetState, since CUDA 7.0
    static const auto get_state = [] {
        void* found = nullptr;
        cudaDriverEntryPointQueryResult result;
        const cudaError_t error = cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &found, 7000,
                                                                   cudaEnableDefault, &result);
        return error == cudaSuccess ? reinterpret_cast<GetState>(found) : nullptr;
    }();
    unsigned flags = 0;
    int active = 1;
    return get_state == nullptr || get_state(device, &flags, &active) != 0 || active != 0;
}

// Back to the device before, unless the process has nothing there: since CUDA 12 cudaSetDevice would make a context there,
// half a gigabyte, for a thread that named no device and has device 0 by default.
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
        if (changed_ && has_context(before_)) {
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

} // namespace ewc::cuda
