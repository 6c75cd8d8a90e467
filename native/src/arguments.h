// Argument checks. Each message names verb, parameter, what was expected and what came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "ewc/ewc.h"

namespace ewc {

// Sets of dtypes, one bit each.
constexpr unsigned dtype_bit(ewc_dtype dtype) { return 1u << dtype; }
constexpr unsigned kF32 = dtype_bit(EWC_F32);
constexpr unsigned kGradient = kF32 | dtype_bit(EWC_F16) | dtype_bit(EWC_BF16);
constexpr unsigned kFisher = kF32 | dtype_bit(EWC_BF16);             // one that is written
constexpr unsigned kReadFisher = kFisher | dtype_bit(EWC_U8_BLOCK256); // ewc_convert alone writes blocks
constexpr unsigned kFactor = kF32 | dtype_bit(EWC_BF16);
constexpr unsigned kAnchor = kGradient | dtype_bit(EWC_I16_BLOCK256);
constexpr unsigned kAny = kAnchor | dtype_bit(EWC_U8_BLOCK256);
constexpr unsigned kCopy = dtype_bit(EWC_F16) | dtype_bit(EWC_BF16);

// A list under the name that the header gives it, and the dtypes that the verb takes there.
struct NamedList {
    const char* name;
    const ewc_list* list;
    unsigned dtypes = kF32;
};

class Arguments {
public:
    // exec is checked at once: there, a device number of -1 or more, threads not negative.
    Arguments(const char* verb, const ewc_exec* exec);

    [[noreturn]] void invalid(const std::string& message) const;
    [[noreturn]] void unsupported(const std::string& message) const;

    void require(const char* parameter, const void* pointer) const;
    void finite(const char* parameter, double value) const;
    void aligned(const std::string& parameter, const void* address, size_t alignment) const;
    void flags(uint32_t given, uint32_t known) const;
    // Every list there, of a dtype that the verb takes, well formed, and cut like the first.
    void lists(std::initializer_list<NamedList> lists) const;
    // A matrix of that many rows, of a dtype that the verb takes.
    void matrix(const char* name, const ewc_matrix* matrix, int64_t rows, unsigned dtypes) const;
    // [examples + 1], from 0 or more, never falling.
    void offsets(const int64_t* offsets, int64_t examples) const;
    // Sizes from 0 (rows) and 1 (columns), and a contiguous matrix of them, of a dtype that the verb takes.
    void rows(int64_t rows) const;
    void logits(const void* logits, ewc_dtype dtype, int64_t rows, int64_t columns) const;
    // [rows], where the caller looks: each a column.
    void targets(const int64_t* targets, int64_t rows, int64_t columns, bool look) const;
    void workspace(const void* workspace, size_t given, size_t needed) const;

private:
    void list(const NamedList& named) const;
    void same_cut(const NamedList& first, const NamedList& other) const;

    const char* verb_;
};

} // namespace ewc
