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

inline int64_t chunks_of(int64_t numel) { return numel / kChunk + (numel % kChunk != 0); }

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

// Calls body(chunk) for every chunk, each thread a contiguous run of them. Body must not throw.
template <typename Body>
void for_each_chunk(const ewc_exec& exec, const ewc_list& list, Body&& body) {
    const int64_t chunks = chunks_of(list);
    const int64_t wanted = exec.threads > 0 ? exec.threads : omp_get_max_threads();
    const int threads = static_cast<int>(std::max<int64_t>(1, std::min(wanted, chunks)));
    if (threads == 1) {
        visit_chunks(list, 0, chunks, body);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        // OpenMP may give fewer threads than asked; and chunks * rank cannot overflow: a chunk is 2^14 elements.
        const int64_t team = omp_get_num_threads();
        const int64_t rank = omp_get_thread_num();
        visit_chunks(list, chunks * rank / team, chunks * (rank + 1) / team, body);
    }
}

} // namespace ewc
