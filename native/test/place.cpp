#include "place.h"

#include <cstdlib>

#include "host_kernels.h"

namespace ewc::test {
namespace {

class HostPlace : public Place {
public:
    explicit HostPlace(const char* name) : name_(name) {}
    std::string name() const override { return name_; }
    std::string missing() const override {
        return host_kernels_named(name_) == nullptr ? std::string("this CPU or build has no ") + name_ : "";
    }
    void enter() override { force_host_kernels(host_kernels_named(name_)); }
    void leave() override { force_host_kernels(nullptr); }

private:
    const char* name_;
};

Place* current = nullptr;

} // namespace

void* Place::allocate(size_t bytes) { return std::malloc(bytes == 0 ? 1 : bytes); }

void Place::release(void* address) { std::free(address); }

Place& here() { return *current; }

void go_to(Place* place) { current = place; }

#if defined(EWC_TEST_DEVICE_PLACE)
Place* device_place(); // of the shim or of CUDA, whichever is linked
#endif

const std::vector<Place*>& places() {
#if defined(EWC_TEST_DEVICE_PLACE)
    static const std::vector<Place*> all = {device_place()};
#elif defined(__aarch64__)
    static HostPlace portable("portable"), neon("neon");
    static const std::vector<Place*> all = {&portable, &neon};
#else
    static HostPlace portable("portable"), avx2("avx2"), avx512("avx512");
    static const std::vector<Place*> all = {&portable, &avx2, &avx512};
#endif
    return all;
}

} // namespace ewc::test
