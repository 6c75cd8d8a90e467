// The fixed partition of a list into chunks, and the loop over them on the host's threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include <omp.h>

#include "elements.h"

namespace ewc {

// Elements of a chunk. 64 KiB of f32 an array: the six arrays of AdamW with EWC fit the second-level cache, and one call
// by pointer and three doubles of partial sums a chunk cost nothing against the memory's time. Part of the result's
// bits, so it depends on nothing.
constexpr int64_t kChunk = 16384;

inline int64_t chunks_of(int64_t numel) { return ceiling(numel, kChunk); }

inline int64_t chunks_of(const ewc_list& list) {
    int64_t chunks = 0;
    for (int64_t i = 0; i < list.count; ++i) {
        chunks += chunks_of(list.numel[i]);
    }
    return chunks;
}

// Where a chunk lies: no chunk crosses a segment.
struct Chunk {
    int64_t index; // over the whole list: the slot of its partial sum
    int64_t segment;
    int64_t offset; // elements into the segment
    int64_t n;
};

inline Elements at(const ewc_list* list, const Chunk& chunk) {
    if (list == nullptr) {
        return {nullptr, nullptr, EWC_F32};
    }
    return elements_at(list->data[chunk.segment], list->numel[chunk.segment], list->dtype, chunk.offset);
}

inline float* f32_at(const ewc_list& list, const Chunk& chunk) {
    return static_cast<float*>(list.data[chunk.segment]) + chunk.offset;
}

// Calls body(chunk) for the chunks first to last - 1.
template <typename Body>
void visit_chunks(const ewc_list& list, int64_t first, int64_t last, Body&& body) {
    Chunk chunk{0, 0, 0, 0};
    for (; chunk.segment < list.count && chunk.index < last; ++chunk.segment) {
        const int64_t numel = list.numel[chunk.segment];
        const int64_t end = chunk.index + chunks_of(numel);
        for (int64_t index = std::max(chunk.index, first); index < std::min(end, last); ++index) {
            const int64_t offset = (index - chunk.index) * kChunk;
            body(Chunk{index, chunk.segment, offset, std::min(kChunk, numel - offset)});
        }
        chunk.index = end;
    }
}

// Threads for so many pieces of work: what the caller asks for, or OpenMP's number, and no more than there are pieces.
inline int threads_of(const ewc_exec& exec, int64_t parts) {
    const int64_t wanted = exec.threads > 0 ? exec.threads : omp_get_max_threads();
    return static_cast<int>(std::max<int64_t>(1, std::min(wanted, parts)));
}

// Calls body(first, last) on each thread with its contiguous run of `parts` pieces of work, of which there are less than
// 2^47. Body must not throw.
template <typename Body>
void for_each_run(const ewc_exec& exec, int64_t parts, Body&& body) {
    const int threads = threads_of(exec, parts);
    if (threads == 1) {
        body(int64_t{0}, parts);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        const int64_t team = omp_get_num_threads(); // OpenMP may give fewer threads than asked
        const int64_t rank = omp_get_thread_num();
        body(parts * rank / team, parts * (rank + 1) / team);
    }
}

// Calls body(chunk) for every chunk. Body must not throw.
template <typename Body>
void for_each_chunk(const ewc_exec& exec, const ewc_list& list, Body&& body) {
    for_each_run(exec, chunks_of(list), [&](int64_t first, int64_t last) { visit_chunks(list, first, last, body); });
}

} // namespace ewc
