// The vectors of an instruction set and the tile that fills its registers, for loops that products are made of.
#pragma once

#include "elements.h"

#if defined(__x86_64__)
#include <immintrin.h> // every intrinsic is forced inline, so none is shared between the instruction sets
#endif

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

// A tile's height and width, so that sums, a row of the right factor and one element of the left fill the registers.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 12;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kTileRows = 6;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 12;
#else
constexpr int kLanes = 4, kTileRows = 6;
#endif
constexpr int kVectors = 2, kTileColumns = kVectors * kLanes;

template <int lanes>
using VectorOf __attribute__((vector_size(4 * lanes))) = float;
using Vector = float __attribute__((vector_size(4 * kLanes)));

#define EWC_UNROLL _Pragma("GCC unroll 16")

// From and to any multiple of 4 bytes.
EWC_FUNCTION Vector load(const float* from) {
    Vector vector;
    __builtin_memcpy(&vector, from, sizeof(vector));
    return vector;
}

EWC_FUNCTION void store(float* to, const Vector& vector) { __builtin_memcpy(to, &vector, sizeof(vector)); }

// Past the caches, to an address that is a multiple of the vector's size; finish_streams() before another thread reads it.
EWC_FUNCTION void stream(float* to, const Vector& vector) {
#if defined(__AVX512F__)
    _mm512_stream_ps(to, (__m512)vector);
#elif defined(__AVX2__)
    _mm256_stream_ps(to, (__m256)vector);
#elif defined(__x86_64__)
    _mm_stream_ps(to, (__m128)vector);
#else
    store(to, vector);
#endif
}

EWC_FUNCTION void finish_streams() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

// The running sums of `rows` rows of a tile, or their squares'.
template <int rows>
using Sums = Vector[rows][kVectors];

// sums += the outer product of `rows` elements and a tile's width of them.
template <int rows>
EWC_FUNCTION void add_position(Sums<rows>& sums, const float* EWC_RESTRICT left, const float* EWC_RESTRICT right) {
    Vector columns[kVectors];
    EWC_UNROLL
    for (int v = 0; v < kVectors; ++v) {
        columns[v] = load(right + v * kLanes);
    }
    EWC_UNROLL
    for (int r = 0; r < rows; ++r) {
        EWC_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            sums[r][v] += left[r] * columns[v];
        }
    }
}

} // namespace
} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
