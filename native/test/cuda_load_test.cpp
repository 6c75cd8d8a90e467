// libewc_cuda.so beside libewc.so: it has code for every GPU that is promised, loads without a driver, its table is found, and
// what is missing is said.
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "ewc/ewc.h"

namespace {

template <typename T>
T at(const std::string& bytes, size_t offset) {
    T value{};
    EXPECT_LE(offset + sizeof(T), bytes.size());
    if (offset + sizeof(T) <= bytes.size()) {
        std::memcpy(&value, bytes.data() + offset, sizeof(T));
    }
    return value;
}

// Each .cu leaves a fat binary: magic, version and header size (u16), body size (u64); in the body entries of kind (1 PTX,
// 2 machine code), version (u16 each), header size (u32) and payload size (u64), the architecture at byte 28.
TEST(CudaLibrary, HasMachineCodeForEachArchitectureAndPtxForLaterOnes) {
    const auto library = std::filesystem::read_symlink("/proc/self/exe").replace_filename("libewc_cuda.so");
    std::ifstream file(library, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const std::string magic = {'\x50', '\xed', '\x55', '\xba'};
    const std::set<std::pair<int, int>> expected = {{2, 80}, {2, 90}, {2, 100}, {1, 100}};
    int found = 0;
    for (size_t start = bytes.find(magic); start != std::string::npos; start = bytes.find(magic, start + 1)) {
        size_t entry = start + at<uint16_t>(bytes, start + 6);
        const size_t end = entry + at<uint64_t>(bytes, start + 8);
        std::set<std::pair<int, int>> held;
        while (entry < end && entry < bytes.size()) {
            held.emplace(at<uint16_t>(bytes, entry), at<int32_t>(bytes, entry + 28));
            entry += at<uint32_t>(bytes, entry + 4) + at<uint64_t>(bytes, entry + 8);
        }
        EXPECT_EQ(expected, held) << library << ", at byte " << start;
        ++found;
    }
    EXPECT_GT(found, 10) << library; // nearly every verb is a .cu
}

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
