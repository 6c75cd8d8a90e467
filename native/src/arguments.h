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

enum class Access { read, write };

// A list under the name that the header gives it, the dtypes that the verb takes there, and what it does with it.
struct NamedList {
    const char* name;
    const ewc_list* list;
    unsigned dtypes = kF32;
    Access access = Access::read;
};

// Memory that is no list: a result, a workspace, a matrix.
struct Region {
    const char* name;
    const void* address; // null only with 0 bytes
    uint64_t bytes;
    Access access = Access::read;
};

// An object where there is one.
template <typename T>
Region region_of(const char* name, const T* object, Access access = Access::read) {
    return {name, object, object == nullptr ? 0 : sizeof(T), access};
}

class Arguments {
public:
    // exec is checked at once: there, a device number of -1 or more, threads not negative.
    Arguments(const char* verb, const ewc_exec* exec);

    [[noreturn]] void invalid(const std::string& message) const;
    [[noreturn]] void unsupported(const std::string& message) const;

    // An object there, aligned to its type.
    template <typename T>
    void require(const char* parameter, const T* object) const {
        present(parameter, object);
        optional(parameter, object);
    }
    // Aligned to its type, where there is one.
    template <typename T>
    void optional(const char* parameter, const T* object) const {
        aligned(parameter, object, alignof(T));
    }
    void present(const char* parameter, const void* address) const;
    void finite(const char* parameter, double value) const;
    void aligned(const char* parameter, const void* address, size_t alignment) const;
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
    // That many bytes from there on do not run beyond the end of the address space.
    void ends(const char* parameter, const void* address, uint64_t bytes) const;
    // What the verb writes overlaps nothing else of the call. Lists may be null.
    void disjoint(std::initializer_list<NamedList> lists, std::initializer_list<Region> regions = {}) const;

private:
    void list(const NamedList& named) const;
    void segments(const NamedList& named) const;
    void same_cut(const NamedList& first, const NamedList& other) const;

    const char* verb_;
};

} // namespace ewc
