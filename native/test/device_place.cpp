// The contract's cases on a real device, by libewc_cuda.so beside the test program. Managed memory, so that the cases read
// and write as they do on the host; finish() waits for the device.
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
        return ewc_cuda_device_count(&devices) == EWC_OK ? "" : ewc_last_error();
    }
    int32_t device() const override { return 0; }
    void* allocate(size_t bytes) override {
        void* address = nullptr;
        require(cudaMallocManaged(&address, bytes == 0 ? 1 : bytes));
        return address;
    }
    void release(void* address) override {
        finish();
        require(cudaFree(address));
    }
    void finish() override { require(cudaDeviceSynchronize()); }
};

} // namespace

Place* device_place() {
    static DevicePlace place;
    return &place;
}

} // namespace ewc::test
