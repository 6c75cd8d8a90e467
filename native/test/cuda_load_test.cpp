// libewc_cuda.so beside libewc.so: it loads without a driver, its table is found, and what is missing is said.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "ewc/ewc.h"

namespace {

TEST(CudaLibrary, LoadsWithoutADriver) {
    int32_t devices = -1;
    const ewc_status status = ewc_cuda_device_count(&devices);
    const std::string message = ewc_last_error();
    EXPECT_EQ(std::string::npos, message.find("was not loaded")) << message;
    EXPECT_EQ(std::string::npos, message.find("function table")) << message;
    if (status == EWC_OK) {
        EXPECT_GT(devices, 0);
    } else {
        EXPECT_EQ(EWC_UNSUPPORTED, status) << message;
        EXPECT_EQ(0, devices);
        EXPECT_NE(std::string::npos, message.find("ewc_cuda_device_count: cudaGetDeviceCount: cudaError")) << message;
    }
}

TEST(CudaLibrary, RangesAreNoOpsWithoutAProfiler) {
    ewc_range_push("step");
    ewc_range_push(nullptr);
    ewc_range_pop();
    SUCCEED();
}

TEST(CudaLibrary, AProfilersCaptureNeedsADevice) {
    int32_t devices = 0;
    if (ewc_cuda_device_count(&devices) == EWC_OK) {
        EXPECT_EQ(EWC_OK, ewc_profiler_start(0)) << ewc_last_error();
        EXPECT_EQ(EWC_OK, ewc_profiler_stop(0)) << ewc_last_error();
    } else {
        EXPECT_EQ(EWC_UNSUPPORTED, ewc_profiler_start(0));
        EXPECT_EQ(0u, std::string(ewc_last_error()).find("ewc_profiler_start: cuda")) << ewc_last_error();
        EXPECT_EQ(EWC_UNSUPPORTED, ewc_profiler_stop(0));
        EXPECT_EQ(0u, std::string(ewc_last_error()).find("ewc_profiler_stop: cuda")) << ewc_last_error();
    }
}

TEST(CudaLibrary, AVerbOnAMissingDeviceIsRefused) {
    int32_t devices = 0;
    ewc_cuda_device_count(&devices);
    float value = 1.0f, other = 1.0f;
    const int64_t numel[] = {1};
    void* written[] = {&value};
    void* read[] = {&other};
    const ewc_list fisher = {1, numel, written, EWC_F32}, gradient = {1, numel, read, EWC_F32};
    const ewc_exec exec = {devices, 0, nullptr};
    EXPECT_NE(EWC_OK, ewc_fisher_accumulate(&exec, &fisher, &gradient, 1.0, 0));
    EXPECT_NE(std::string::npos, std::string(ewc_last_error()).find("cuda")) << ewc_last_error();
    EXPECT_EQ(1.0f, value);
}

} // namespace
