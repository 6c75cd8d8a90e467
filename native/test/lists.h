// What the tests share: lists over memory of their own, and the sizes worth trying.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "chunks.h"
#include "ewc/ewc.h"

namespace ewc::test {

// Segments of these sizes, each `offset` elements into its allocation so that addresses can be misaligned. A guard
// value behind each segment tells whether a verb wrote past its end.
class Values {
public:
    Values(const std::vector<int64_t>& sizes, unsigned seed, double low, double high, int64_t offset = 0)
        : numel_(sizes), offset_(offset) {
        std::mt19937 random(seed);
        std::uniform_real_distribution<double> uniform(low, high);
        for (const int64_t size : sizes) {
            std::vector<float> segment(static_cast<size_t>(size + offset + 1), kGuard);
            for (int64_t i = 0; i < size; ++i) {
                segment[static_cast<size_t>(i + offset)] = static_cast<float>(uniform(random));
            }
            memory_.push_back(std::move(segment));
        }
        for (auto& segment : memory_) {
            addresses_.push_back(segment.data() + offset);
        }
        list_ = {static_cast<int64_t>(numel_.size()), numel_.data(), addresses_.data(), EWC_F32};
    }
    Values(const Values&) = delete;
    Values& operator=(const Values&) = delete;

    const ewc_list* list() const { return &list_; }
    float& at(size_t segment, int64_t i) { return memory_[segment][static_cast<size_t>(i + offset_)]; }

    std::vector<double> read() const {
        std::vector<double> all;
        for (size_t s = 0; s < memory_.size(); ++s) {
            all.insert(all.end(), memory_[s].begin() + offset_, memory_[s].end() - 1);
        }
        return all;
    }

    bool guards_hold() const {
        for (const auto& segment : memory_) {
            if (segment.back() != kGuard) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr float kGuard = 123456.0f;

    std::vector<int64_t> numel_;
    int64_t offset_;
    std::vector<std::vector<float>> memory_;
    std::vector<void*> addresses_;
    ewc_list list_{};
};

// A workspace of exactly the bytes that a query asked for, so that AddressSanitizer sees one more.
class Workspace {
public:
    explicit Workspace(size_t bytes) : doubles_(bytes / sizeof(double)), bytes_(bytes) {}
    void* data() { return doubles_.empty() ? nullptr : doubles_.data(); }
    size_t bytes() const { return bytes_; }

private:
    std::vector<double> doubles_;
    size_t bytes_;
};

inline std::vector<std::vector<int64_t>> cuts() {
    std::vector<std::vector<int64_t>> cuts = {{}};
    for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{4}, int64_t{31}, int64_t{32}, int64_t{33},
                               int64_t{511}, int64_t{512}, int64_t{513}, kChunk - 1, kChunk, kChunk + 1}) {
        cuts.push_back({size});
    }
    cuts.push_back({5, 0, 3 * kChunk + 7, 1, 33, kChunk});
    cuts.push_back(std::vector<int64_t>(100, 17));
    return cuts;
}

inline ewc_exec host(int32_t threads) { return {-1, threads, nullptr}; }

} // namespace ewc::test
