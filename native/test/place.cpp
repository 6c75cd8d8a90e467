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

Memory::Memory(size_t bytes, Where where)
    : place_(&here()), bytes_(bytes), pinned_(where == Where::kPinned ? place_->allocate_pinned(bytes) : nullptr),
      host_(pinned_ != nullptr ? pinned_ : std::malloc(bytes == 0 ? 1 : bytes)),
      device_(where == Where::kPinned ? nullptr : place_->allocate(bytes)) {}

Memory::~Memory() {
    if (device_ != nullptr) {
        place_->release(device_);
    }
    if (pinned_ != nullptr) {
        place_->finish();
        place_->release_pinned(pinned_);
    } else {
        std::free(host_);
    }
}

void* Memory::there() const {
    if (device_ == nullptr) {
        return host_;
    }
    if (newer_on_host_) {
        place_->copy_there(device_, host_, bytes_);
        newer_on_host_ = false;
    }
    newer_there_ = true;
    return device_;
}

const void* Memory::read() const {
    if (pinned_ != nullptr) {
        place_->finish();
    }
    if (newer_there_) {
        place_->copy_back(host_, device_, bytes_);
        newer_there_ = false;
    }
    return host_;
}

void* Memory::write() {
    read();
    newer_on_host_ = true;
    return host_;
}

int test_device() {
    const char* number = std::getenv("EWC_TEST_DEVICE");
    if (number == nullptr || *number == 0) {
        return 0;
    }
    char* end = nullptr;
    const long value = std::strtol(number, &end, 10);
    return *end != 0 || value < 0 || value > 1024 ? -1 : static_cast<int>(value);
}

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
