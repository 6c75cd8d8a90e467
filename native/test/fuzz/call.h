// A call of the C ABI made of bytes that a fuzzer chose: mostly well formed, with any argument null, negative, too large,
// misaligned or overlapping now and then. What it can't be: an address with fewer bytes behind it than the call says, which
// no check can tell.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "elements.h"
#include "ewc/ewc.h"

namespace ewc::fuzz {

// The fuzzer's bytes, one after another; zeros when they are used up.
class Bytes {
public:
    Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}

    uint8_t next() { return at_ < size_ ? data_[at_++] : 0; }
    // 0 to n - 1.
    uint32_t below(uint32_t n) { return (next() | static_cast<uint32_t>(next()) << 8) % n; }
    // True once in about n.
    bool once_in(uint32_t n) { return below(n) == n - 1; }
    double number() {
        static const double kNumbers[] = {0.0, 1.0, 0.5, -1.0, 1e-3, 1e300, NAN, INFINITY, -INFINITY, 0.9};
        return kNumbers[below(sizeof(kNumbers) / sizeof(double))];
    }

private:
    const uint8_t* data_;
    size_t size_;
    size_t at_ = 0;
};

struct Span {
    const void* address;
    uint64_t bytes;
    bool written;
};

// The memory that all arguments lie in, so that they overlap by chance, and what the call was told of it.
class Call {
public:
    static constexpr int kSegments = 4;

    explicit Call(Bytes& bytes) : bytes_(bytes), memory_(kBytes / sizeof(double)), fixed_cut_(cut()) {
        for (double& value : memory_) {
            value = 0.25; // as f32: 0 and 1.625
        }
        exec_ = {bytes.once_in(40) ? static_cast<int32_t>(bytes.below(70000)) - 300 : -1,
                 bytes.once_in(30) ? static_cast<int32_t>(bytes.below(50000)) * 40000 - 5
                                   : static_cast<int32_t>(bytes.below(3)),
                 nullptr};
        before_ = memory_;
    }

    const ewc_exec* exec() { return bytes_.once_in(60) ? nullptr : &exec_; }

    // For a query of the workspace that the call will need.
    const ewc_exec* given_exec() const { return &exec_; }

    // A list cut like the others of the call, most of the time; null once in a while.
    const ewc_list* list(ewc_dtype dtype, bool written) {
        if (bytes_.once_in(50)) {
            return nullptr;
        }
        List& made = lists_[lists_used_++];
        made.cut = bytes_.once_in(25) ? cut() : fixed_cut_;
        if (bytes_.once_in(25)) {
            dtype = static_cast<ewc_dtype>(static_cast<int32_t>(bytes_.below(65536)) - 32000);
        } else if (bytes_.once_in(4)) {
            dtype = static_cast<ewc_dtype>(bytes_.below(4));
        }
        for (int i = 0; i < kSegments; ++i) {
            made.addresses[i] = segment(dtype, made.cut.numel[i]);
            if (i < made.cut.count && made.cut.numel[i] > 0 && made.cut.numel[i] <= kMostElements) {
                spans_.push_back({made.addresses[i], bytes_of(dtype, made.cut.numel[i]), written});
            }
        }
        made.list = {made.cut.count, bytes_.once_in(60) ? nullptr : made.cut.numel,
                     bytes_.once_in(60) ? nullptr : made.addresses, dtype};
        return &made.list;
    }

    const ewc_list* optional_list(ewc_dtype dtype, bool written) {
        return bytes_.once_in(3) ? nullptr : list(dtype, written);
    }

    // An object of the caller's; null once in a while.
    template <typename T>
    T* object(bool written) {
        T* place = static_cast<T*>(place_for(sizeof(T), alignof(T)));
        if (place != nullptr) {
            spans_.push_back({place, sizeof(T), written});
        }
        return place;
    }

    // Bytes for something of that size; null once in a while.
    void* region(size_t bytes, size_t alignment, bool written) {
        void* place = place_for(bytes, alignment);
        if (bytes > 0 && place != nullptr) {
            spans_.push_back({place, bytes, written});
        }
        return place;
    }

    // A workspace as asked for, or less; *bytes tells how much.
    void* workspace(ewc_status queried, size_t needed, size_t* bytes) {
        const bool known = queried == EWC_OK && needed <= kBytes / 4;
        *bytes = !known || bytes_.once_in(20) ? bytes_.below(64) : needed;
        void* place = place_for(*bytes, alignof(double));
        if (place != nullptr && queried == EWC_OK) {
            spans_.push_back({place, std::min(needed, *bytes), true});
        }
        return place;
    }

    // Puts values where the caller's data lies, before the call.
    template <typename Value>
    void fill(int64_t* place, size_t bytes, Value&& value) {
        for (size_t i = 0; i < bytes / sizeof(int64_t); ++i) {
            const int64_t made = value();
            std::memcpy(reinterpret_cast<char*>(place) + i * sizeof(made), &made, sizeof(made));
        }
        before_ = memory_;
    }

    // Ends the process where the library did not keep its word about a call that it answered by that status.
    void judge(const char* verb, ewc_status status) const;

private:
    static constexpr size_t kBytes = 1 << 13;
    static constexpr int64_t kMostElements = 48;

    struct Cut {
        int64_t count;
        int64_t numel[kSegments];
    };
    struct List {
        Cut cut;
        void* addresses[kSegments];
        ewc_list list;
    };

    static uint64_t bytes_of(ewc_dtype dtype, int64_t numel) {
        const bool known = dtype >= EWC_F32 && dtype <= EWC_U8_BLOCK256;
        return known ? static_cast<uint64_t>(segment_bytes(dtype, numel)) : 0;
    }

    Cut cut() {
        Cut made{};
        made.count = bytes_.once_in(40) ? -static_cast<int64_t>(bytes_.below(9)) : bytes_.below(kSegments + 1);
        for (int64_t& numel : made.numel) {
            static const int64_t kWrong[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 8 + 1};
            numel = bytes_.once_in(60) ? kWrong[bytes_.below(4)] : bytes_.below(kMostElements + 1);
        }
        return made;
    }

    void* segment(ewc_dtype dtype, int64_t numel) {
        if (numel > 16 && bytes_.once_in(60)) {
            return reinterpret_cast<void*>(UINTPTR_MAX - 7); // its end wraps around
        }
        const bool sane = numel >= 0 && numel <= kMostElements;
        return place_for(sane ? static_cast<size_t>(bytes_of(dtype, numel)) : 0, 4);
    }

    // Mostly behind all that was placed before, sometimes anywhere.
    void* place_for(size_t bytes, size_t alignment) {
        if (bytes_.once_in(60)) {
            return nullptr;
        }
        const size_t room = kBytes - bytes - 16;
        size_t offset = (placed_ + 15) / 16 * 16;
        if (offset > room || bytes_.once_in(12)) {
            offset = bytes_.below(static_cast<uint32_t>(room)) / alignment * alignment;
        } else {
            placed_ = offset + bytes;
        }
        if (bytes_.once_in(60)) {
            offset += 1 + bytes_.below(7); // perhaps misaligned; 16 bytes are left for it
        }
        return reinterpret_cast<char*>(memory_.data()) + offset;
    }

    Bytes& bytes_;
    std::vector<double> memory_; // on the heap: AddressSanitizer sees what is beyond
    std::vector<double> before_;
    size_t placed_ = 0;
    Cut fixed_cut_;
    ewc_exec exec_{};
    List lists_[8] = {};
    int lists_used_ = 0;
    std::vector<Span> spans_;
};

// One call of one verb.
void try_call(const uint8_t* data, size_t size);

} // namespace ewc::fuzz
