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

} // namespace ewc::cuda
