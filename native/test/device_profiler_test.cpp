// A profiler's capture takes in the work of its steps and no other: each end of it waits for the device first.
#include <string>

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "cuda_library.h"
#include "ewc/ewc.h"
#include "status.cuh"

extern "C" const ewc_cuda_table* ewc_cuda_table_get();

namespace ewc {
namespace {

class DeviceProfiler : public testing::Test {
protected:
    void SetUp() override {
        force_cuda_library(ewc_cuda_table_get());
        shim::calls.clear();
    }
    void TearDown() override { force_cuda_library(nullptr); }
};

TEST_F(DeviceProfiler, WaitsForTheDeviceBeforeItStartsAndStops) {
    EXPECT_EQ(EWC_OK, ewc_profiler_start(0)) << ewc_last_error();
    EXPECT_EQ("synchronize start ", shim::calls);
    EXPECT_EQ(EWC_OK, ewc_profiler_stop(0)) << ewc_last_error();
    EXPECT_EQ("synchronize start synchronize stop ", shim::calls);
}

TEST_F(DeviceProfiler, RefusesADeviceThatIsNotThere) {
    EXPECT_EQ(EWC_INVALID_ARGUMENT, ewc_profiler_start(1));
    EXPECT_EQ(0u, std::string(ewc_last_error()).find("ewc_profiler_start: cudaSetDevice: ")) << ewc_last_error();
    EXPECT_EQ("", shim::calls);
}

TEST_F(DeviceProfiler, RangesReachIt) {
    ewc_range_push("step");
    ewc_range_pop();
    EXPECT_EQ("push step pop ", shim::calls);
}

// cudaSetDevice makes a context, so a thread goes back to its device only where the process has one there.
TEST(DeviceGuard, MakesNoContextOnTheDeviceBefore) {
    shim::devices = 2;
    for (const bool in_use : {true, false}) {
        shim::device = 0;
        shim::in_use[0] = in_use;
        {
            const cuda::DeviceGuard guard(1);
            EXPECT_EQ(cudaSuccess, guard.error());
            EXPECT_EQ(1, shim::device);
        }
        EXPECT_EQ(in_use ? 0 : 1, shim::device);
        EXPECT_EQ(in_use, shim::in_use[0]);
        {
            const cuda::DeviceGuard guard(2);
            EXPECT_EQ(cudaErrorInvalidDevice, guard.error());
        }
        EXPECT_EQ(in_use ? 0 : 1, shim::device);
    }
    shim::devices = 1;
    shim::device = 0;
    shim::in_use[0] = true;
}

// CUDA: "this leaves the process in an inconsistent state … the process must be terminated and relaunched".
TEST(DeviceStatus, AFailureAfterWhichNothingWorksIsFatal) {
    for (const cudaError_t error : {cudaErrorIllegalAddress, cudaErrorLaunchTimeout, cudaErrorInvalidAddressSpace,
                                    cudaErrorInvalidPc, cudaErrorMpsClientTerminated, cudaErrorNvlinkUncorrectable}) {
        EXPECT_EQ(EWC_CUDA_FATAL, cuda::status_of(error)) << static_cast<int>(error);
    }
    EXPECT_EQ(EWC_CUDA, cuda::status_of(cudaErrorInvalidConfiguration));
}

TEST(DeviceStatus, WhatThisMachineCannotRunIsUnsupported) {
    for (const cudaError_t error :
         {cudaErrorNoDevice, cudaErrorInsufficientDriver, cudaErrorNoKernelImageForDevice, cudaErrorUnsupportedPtxVersion,
          cudaErrorSystemNotReady, cudaErrorSystemDriverMismatch, cudaErrorCompatNotSupportedOnDevice}) {
        EXPECT_EQ(EWC_UNSUPPORTED, cuda::status_of(error)) << static_cast<int>(error);
    }
}

} // namespace
} // namespace ewc
