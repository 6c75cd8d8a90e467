// What the contract's cases share: lists of any dtype over memory of their own, and the sizes worth trying.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "elements.h"
#include "place.h"

namespace ewc::test {

// Segments of these sizes, each `offset` elements into its allocation so that addresses can be misaligned. Guard bytes
// before and behind each segment tell whether a verb wrote past it. Values are what the dtype holds of them.
class Values {
public:
    Values(const std::vector<int64_t>& sizes, unsigned seed, double low, double high, int64_t offset = 0,
           ewc_dtype dtype = EWC_F32, Where where = Where::kPlace)
        : numel_(sizes), dtype_(dtype),
          front_(kGuardBytes + offset * (has_steps(dtype) ? 4 : element_bytes(dtype))) {
        std::minstd_rand random(seed + 1);
        const double scale = (high - low) / static_cast<double>(std::minstd_rand::max());
        for (const int64_t size : sizes) {
            const int64_t bytes = ewc_segment_bytes(dtype, size);
            memory_.push_back(std::make_unique<Memory>(static_cast<size_t>(front_ + bytes + kGuardBytes), where));
            std::memset(memory_.back()->write(), kGuard, memory_.back()->bytes());
            addresses_.push_back(nullptr);
            std::vector<float> segment(static_cast<size_t>(size));
            for (float& value : segment) {
                value = static_cast<float>(low + scale * static_cast<double>(random()));
            }
            write(addresses_.size() - 1, segment);
        }
        list_ = {static_cast<int64_t>(numel_.size()), numel_.data(), addresses_.data(), dtype};
    }
    Values(const Values&) = delete;
    Values& operator=(const Values&) = delete;

    // For one verb that runs now: it may write there.
    const ewc_list* list() const {
        for (size_t s = 0; s < memory_.size(); ++s) {
            addresses_[s] = static_cast<char*>(memory_[s]->there()) + front_;
        }
        return &list_;
    }

    const void* segment(size_t index) const { return static_cast<const char*>(memory_[index]->read()) + front_; }
    void* segment_to_write(size_t index) { return static_cast<char*>(memory_[index]->write()) + front_; }

    double get(size_t segment, int64_t i) const {
        const Elements at = elements_at(const_cast<void*>(this->segment(segment)), numel_[segment], dtype_, 0);
        const bool halves = element_bytes(dtype_) == 2;
        const uint16_t half = halves ? static_cast<const uint16_t*>(at.data)[i] : uint16_t{0};
        switch (dtype_) {
        case EWC_F16:
            return f16_to_f32(half);
        case EWC_BF16:
            return bf16_to_f32(half);
        case EWC_I16_BLOCK256:
            return i16_to_f32(half, at.steps[i / kBlock]);
        case EWC_U8_BLOCK256:
            return u8_to_f32(static_cast<const uint8_t*>(at.data)[i], at.steps[i / kBlock]);
        default:
            return static_cast<const float*>(at.data)[i];
        }
    }

    // Not of blocks, where an element alone cannot change.
    void set(size_t segment, int64_t i, float value) {
        void* to = segment_to_write(segment);
        if (dtype_ == EWC_F32) {
            static_cast<float*>(to)[i] = value;
        } else {
            static_cast<uint16_t*>(to)[i] = dtype_ == EWC_F16 ? f32_to_f16(value) : f32_to_bf16(value);
        }
    }

    std::vector<double> read() const {
        std::vector<double> all;
        for (size_t s = 0; s < memory_.size(); ++s) {
            for (int64_t i = 0; i < numel_[s]; ++i) {
                all.push_back(get(s, i));
            }
        }
        return all;
    }

    // The bits of everything, guards included.
    std::string bits() const {
        std::string all;
        for (const auto& memory : memory_) {
            all.append(static_cast<const char*>(memory->read()), memory->bytes());
        }
        return all;
    }

    bool guards_hold() const {
        for (size_t s = 0; s < memory_.size(); ++s) {
            const char* bytes = static_cast<const char*>(memory_[s]->read());
            const char* behind = bytes + front_ + ewc_segment_bytes(dtype_, numel_[s]);
            const auto guard = [](char byte) { return byte == kGuard; };
            if (!std::all_of(bytes, bytes + front_, guard) || !std::all_of(behind, behind + kGuardBytes, guard)) {
                return false;
            }
        }
        return true;
    }

    ewc_dtype dtype() const { return dtype_; }

private:
    static constexpr int64_t kGuardBytes = 64;
    static constexpr char kGuard = 0x5a;

    void write(size_t segment, const std::vector<float>& values) {
        const Elements to = elements_at(segment_to_write(segment), numel_[segment], dtype_, 0);
        const int64_t n = numel_[segment];
        if (!has_steps(dtype_)) {
            for (int64_t i = 0; i < n; ++i) {
                set(segment, i, values[static_cast<size_t>(i)]);
            }
            return;
        }
        for (int64_t i = 0; i < n; ++i) {
            if (i % kBlock == 0) {
                uint32_t largest = 0;
                for (int64_t k = i; k < std::min(n, i + kBlock); ++k) {
                    largest = std::max(largest, magnitude_bits(values[static_cast<size_t>(k)]));
                }
                to.steps[i / kBlock] = dtype_ == EWC_U8_BLOCK256 ? U8Block(largest).step : I16Block(largest).step;
            }
            const float step = to.steps[i / kBlock];
            if (dtype_ == EWC_U8_BLOCK256) {
                static_cast<uint8_t*>(to.data)[i] =
                    static_cast<uint8_t>(step == 0 ? 0 : std::lrint(std::sqrt(values[static_cast<size_t>(i)] / step)));
                continue;
            }
            static_cast<int16_t*>(to.data)[i] =
                static_cast<int16_t>(step == 0 ? 0 : std::lrint(values[static_cast<size_t>(i)] / step));
        }
    }

    std::vector<int64_t> numel_;
    ewc_dtype dtype_;
    int64_t front_;
    std::vector<std::unique_ptr<Memory>> memory_;
    mutable std::vector<void*> addresses_;
    ewc_list list_{};
};

// Sizes about the chunks of host and device (16,384), and several of them.
inline std::vector<std::vector<int64_t>> cuts() {
    std::vector<std::vector<int64_t>> cuts = {{}};
    for (const int64_t size : {0, 1, 3, 4, 31, 32, 33, 511, 512, 513, 16383, 16384, 16385, 32768}) {
        cuts.push_back({size});
    }
    cuts.push_back({5, 0, 3 * 16384 + 7, 1, 33, 65536, 2, 2 * 65536 + 5});
    return cuts;
}

// More segments than one launch's table has, whichever the verb.
inline std::vector<int64_t> many_segments() {
    std::vector<int64_t> sizes(1100, 5);
    sizes[0] = sizes[500] = 0;
    return sizes;
}

// For the many mixes of dtypes: about the blocks of 256, the tiles of 2,048 and one chunk's end.
inline std::vector<std::vector<int64_t>> few_cuts() {
    return {{}, {1}, {3, 255, 0, 256, 257}, {2047, 2049, 5}, {16384 + 9}};
}

} // namespace ewc::test
