#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "arguments.h"
#include "elements.h"
#include "overlap.h"
#include "status.h"

namespace ewc {
namespace {

constexpr int64_t kMostElements = INT64_MAX / 8; // so that no byte offset overflows, for any dtype
constexpr int32_t kMostThreads = 4096;           // OpenMP ends the process where it cannot start as many as it is told

std::string segment(const char* name, int64_t index) {
    return index < 0 ? std::string(name) : std::string(name) + " segment " + std::to_string(index);
}

const char* const kDtypeNames[] = {"EWC_F32 (0)", "EWC_F16 (1)", "EWC_BF16 (2)", "EWC_I16_BLOCK256 (3)",
                                    "EWC_U8_BLOCK256 (4)"};

std::string names_of(unsigned dtypes) {
    std::string names;
    for (unsigned dtype = 0; dtype < 5; ++dtype) {
        if ((dtypes & (1u << dtype)) != 0) {
            names += (names.empty() ? "" : " or ") + std::string(kDtypeNames[dtype]);
        }
    }
    return names;
}

size_t alignment_of(ewc_dtype dtype) { return dtype == EWC_F32 || has_steps(dtype) ? 4 : 2; }

bool takes(unsigned dtypes, ewc_dtype dtype) {
    return dtype >= EWC_F32 && dtype <= EWC_U8_BLOCK256 && (dtypes & dtype_bit(dtype)) != 0;
}

} // namespace

Arguments::Arguments(const char* verb, const ewc_exec* exec) : verb_(verb) {
    require("exec", exec);
    if (exec->device < -1) {
        invalid("exec->device: expected -1 (host) or a CUDA device number, came " + std::to_string(exec->device));
    }
    if (exec->threads < 0 || exec->threads > kMostThreads) {
        invalid("exec->threads: expected 0 to " + std::to_string(kMostThreads) + ", came " +
                std::to_string(exec->threads));
    }
}

void Arguments::invalid(const std::string& message) const {
    throw Failure(EWC_INVALID_ARGUMENT, std::string(verb_) + ": " + message);
}

void Arguments::unsupported(const std::string& message) const {
    throw Failure(EWC_UNSUPPORTED, std::string(verb_) + ": " + message);
}

void Arguments::present(const char* parameter, const void* address) const {
    if (address == nullptr) {
        invalid(std::string(parameter) + ": expected an address, came NULL");
    }
}

void Arguments::finite(const char* parameter, double value) const {
    if (!std::isfinite(value)) {
        invalid(std::string(parameter) + ": expected a finite number, came " + std::to_string(value));
    }
}

void Arguments::aligned(const char* parameter, const void* address, size_t alignment) const {
    if (reinterpret_cast<uintptr_t>(address) % alignment != 0) {
        invalid(std::string(parameter) + ": expected an address that is a multiple of " + std::to_string(alignment) +
                ", came one that is not");
    }
}

void Arguments::flags(uint32_t given, uint32_t known) const {
    if ((given & ~known) != 0) {
        unsupported("flags: expected only bits of " + std::to_string(known) + ", came " + std::to_string(given));
    }
}

void Arguments::lists(std::initializer_list<NamedList> lists) const {
    for (const NamedList& named : lists) {
        list(named);
        same_cut(*lists.begin(), named);
    }
}

void Arguments::list(const NamedList& named) const {
    require(named.name, named.list);
    const ewc_list& list = *named.list;
    const auto member = [&](const char* of) { return std::string(named.name) + of; }; // made where something is wrong alone
    if (list.count < 0) {
        invalid(member(".count") + ": expected 0 or more segments, came " + std::to_string(list.count));
    }
    if (!takes(named.dtypes, list.dtype)) {
        invalid(member(".dtype") + ": expected " + names_of(named.dtypes) + ", came " + std::to_string(list.dtype));
    }
    const auto lies_there = [](const auto* array) {
        return array != nullptr && reinterpret_cast<uintptr_t>(array) % alignof(decltype(*array)) == 0;
    };
    if (list.count > 0 && !(lies_there(list.numel) && lies_there(list.data))) {
        require(member(".numel").c_str(), list.numel);
        require(member(".data").c_str(), list.data);
    }
    segments(named);
}

void Arguments::segments(const NamedList& named) const {
    const ewc_list& list = *named.list;
    int64_t total = 0;
    for (int64_t i = 0; i < list.count; ++i) {
        const int64_t numel = list.numel[i];
        if (numel < 0) {
            invalid(segment(named.name, i) + ": expected 0 or more elements, came " + std::to_string(numel));
        }
        if (numel > kMostElements - total) {
            invalid(std::string(named.name) + ": expected at most " + std::to_string(kMostElements) +
                    " elements in total, came more");
        }
        total += numel;
        const uintptr_t address = reinterpret_cast<uintptr_t>(list.data[i]);
        const bool badly_placed = address % alignment_of(list.dtype) != 0 || (numel > 0 && address == 0) ||
                                  static_cast<uint64_t>(segment_bytes(list.dtype, numel)) > UINTPTR_MAX - address;
        if (badly_placed) { // which of the three is said here, so that no text is made where all is well
            const std::string name = segment(named.name, i);
            if (numel > 0) {
                present(name.c_str(), list.data[i]);
            }
            aligned(name.c_str(), list.data[i], alignment_of(list.dtype));
            ends(name.c_str(), list.data[i], static_cast<uint64_t>(segment_bytes(list.dtype, numel)));
        }
    }
}

void Arguments::ends(const char* parameter, const void* address, uint64_t bytes) const {
    if (bytes > UINTPTR_MAX - reinterpret_cast<uintptr_t>(address)) {
        invalid(std::string(parameter) + ": expected memory inside the address space, came an address whose " +
                std::to_string(bytes) + " bytes run beyond its end");
    }
}

void Arguments::disjoint(std::initializer_list<NamedList> lists, std::initializer_list<Region> regions) const {
    for (const Region& region : regions) {
        ends(region.name, region.address, region.bytes);
    }
    const Overlap overlap = find_overlap(lists, regions);
    if (overlap.written.name != nullptr) {
        invalid(segment(overlap.written.name, overlap.written.segment) +
                ": is written, so expected memory that nothing else of the call uses, but " +
                segment(overlap.other.name, overlap.other.segment) + " overlaps it");
    }
}

void Arguments::same_cut(const NamedList& first, const NamedList& other) const {
    if (other.list->count != first.list->count) {
        invalid(std::string(other.name) + ": expected as many segments as " + first.name + " has (" +
                std::to_string(first.list->count) + "), came " + std::to_string(other.list->count));
    }
    for (int64_t i = 0; i < other.list->count; ++i) {
        if (other.list->numel[i] != first.list->numel[i]) {
            invalid(segment(other.name, i) + ": expected as many elements as " + first.name + " has there (" +
                    std::to_string(first.list->numel[i]) + "), came " + std::to_string(other.list->numel[i]));
        }
    }
}

void Arguments::matrix(const char* name, const ewc_matrix* matrix, int64_t rows, unsigned dtypes) const {
    require(name, matrix);
    const std::string of = name;
    if (matrix->columns < 0) {
        invalid(of + "->columns: expected 0 or more, came " + std::to_string(matrix->columns));
    }
    if (matrix->stride < matrix->columns) {
        invalid(of + "->stride: expected " + std::to_string(matrix->columns) + ", the columns, or more, came " +
                std::to_string(matrix->stride));
    }
    if (!takes(dtypes, matrix->dtype)) {
        invalid(of + "->dtype: expected " + names_of(dtypes) + ", came " + std::to_string(matrix->dtype));
    }
    if (matrix->stride > kMostElements / std::max<int64_t>(1, rows)) {
        invalid(of + ": expected at most " + std::to_string(kMostElements) + " elements, came more");
    }
    if (rows > 0 && matrix->columns > 0) {
        present((of + "->data").c_str(), matrix->data);
    }
    aligned((of + "->data").c_str(), matrix->data, alignment_of(matrix->dtype));
}

void Arguments::offsets(const int64_t* offsets, int64_t examples) const {
    if (examples < 0) {
        invalid("examples: expected 0 or more, came " + std::to_string(examples));
    }
    require("offsets", offsets);
    if (offsets[0] < 0) {
        invalid("offsets[0]: expected 0 or more, came " + std::to_string(offsets[0]));
    }
    for (int64_t i = 0; i < examples; ++i) {
        if (offsets[i + 1] < offsets[i]) {
            invalid("offsets[" + std::to_string(i + 1) + "]: expected " + std::to_string(offsets[i]) +
                    ", the offset before, or more, came " + std::to_string(offsets[i + 1]));
        }
    }
}

void Arguments::rows(int64_t rows) const {
    if (rows < 0 || rows > INT32_MAX) {
        invalid("rows: expected 0 to 2^31 - 1, came " + std::to_string(rows));
    }
}

void Arguments::logits(const void* logits, ewc_dtype dtype, int64_t rows, int64_t columns) const {
    if (columns < 1 || columns > INT32_MAX) {
        invalid("columns: expected 1 to 2^31 - 1, came " + std::to_string(columns));
    }
    if (!takes(kGradient, dtype)) {
        invalid("dtype: expected " + names_of(kGradient) + ", came " + std::to_string(dtype));
    }
    if (rows > kMostElements / columns) {
        invalid("rows x columns: expected at most " + std::to_string(kMostElements) + " logits, came more");
    }
    if (rows > 0) {
        present("logits", logits);
    }
    aligned("logits", logits, alignment_of(dtype));
}

void Arguments::targets(const int64_t* targets, int64_t rows, int64_t columns, bool look) const {
    if (rows > 0) {
        present("targets", targets);
    }
    optional("targets", targets);
    for (int64_t row = 0; look && row < rows; ++row) {
        if (targets[row] < 0 || targets[row] >= columns) {
            invalid("targets[" + std::to_string(row) + "]: expected 0 or more, below the columns (" +
                    std::to_string(columns) + "), came " + std::to_string(targets[row]));
        }
    }
}

void Arguments::workspace(const void* workspace, size_t given, size_t needed) const {
    if (needed == 0) {
        return;
    }
    present("workspace", workspace);
    if (given < needed) {
        invalid("workspace_bytes: expected at least " + std::to_string(needed) + ", came " + std::to_string(given));
    }
    aligned("workspace", workspace, alignof(double));
}

} // namespace ewc
