// The contract's cases on a real device, by libewc_cuda.so beside the test program, over plain cudaMalloc memory.
#include <cuda_runtime.h>

#include <stdexcept>

#include "place.h"

namespace ewc::test {
namespace {

void require(cudaError_t error) {
    if (error != cudaSuccess) {
        throw std::runtime_error(cudaGetErrorString(error));
    }
}

class DevicePlace : public Place {
public:
    std::string name() const override { return "cuda"; }
    std::string missing() const override {
        int32_t devices = 0;
        if (ewc_cuda_device_count(&devices) != EWC_OK) {
            return ewc_last_error();
        }
        return number_ >= 0 && number_ < devices
                   ? ""
                   : "EWC_TEST_DEVICE: no device " + std::to_string(number_) + " among " + std::to_string(devices);
    }
    int32_t device() const override { return number_; }
    // The test's own memory and copies are on the calling thread's device.
    void enter() override { require(cudaSetDevice(number_)); }
    void* allocate(size_t bytes) override {
        void* address = nullptr;
        require(cudaMalloc(&address, bytes == 0 ? 1 : bytes));
        return address;
    }
    // Destructors call this: an error shows at the next copy.
    void release(void* address) override { cudaFree(address); }
    void* allocate_pinned(size_t bytes) override {
        void* address = nullptr;
        require(cudaHostAlloc(&address, bytes == 0 ? 1 : bytes, cudaHostAllocDefault));
        return address;
    }
    void release_pinned(void* address) override { cudaFreeHost(address); }
    void copy_there(void* to, const void* from, size_t bytes) override {
        require(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
    }
    void copy_back(void* to, const void* from, size_t bytes) override {
        require(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
    }
    void finish() override { require(cudaDeviceSynchronize()); }

private:
    const int number_ = test_device();
};

} // namespace

Place* device_place() {
    static DevicePlace place;
    return &place;
}

} // namespace ewc::test
