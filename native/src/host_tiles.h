// Lists of any dtype as f32 in the first-level cache: the loops of host_kernels.cpp know f32 only, and any other
// is widened tile by tile before them and narrowed after. That moves the least bytes of memory, costs no loop of its own
// for each mix of dtypes, and is the same arithmetic for all.
#pragma once

#include "elements.h"

#if defined(__F16C__)
#include <immintrin.h> // every intrinsic is forced inline, so none is shared between the instruction sets
#endif

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

// 8 KiB of f32: the tiles of three lists in 16 bit stay in the first-level cache. A multiple of kBlock, and part of the
// result's bits, as sums are taken tile by tile.
constexpr int64_t kTile = 2048;

void widen_f16(int64_t n, float* EWC_RESTRICT to, const uint16_t* EWC_RESTRICT from) {
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(halves));
    }
#endif
#pragma omp simd
    for (int64_t k = i; k < n; ++k) {
        to[k] = f16_to_f32(from[k]);
    }
}

void narrow_f16(int64_t n, uint16_t* EWC_RESTRICT to, const float* EWC_RESTRICT from) {
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), halves);
    }
#endif
#pragma omp simd
    for (int64_t k = i; k < n; ++k) {
        to[k] = f32_to_f16(from[k]);
    }
}

void widen_bf16(int64_t n, float* EWC_RESTRICT to, const uint16_t* EWC_RESTRICT from) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = bf16_to_f32(from[i]);
    }
}

void narrow_bf16(int64_t n, uint16_t* EWC_RESTRICT to, const float* EWC_RESTRICT from) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = f32_to_bf16(from[i]);
    }
}

void widen_i16(int64_t n, float* EWC_RESTRICT to, const uint16_t* EWC_RESTRICT from, float step) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = i16_to_f32(from[i], step);
    }
}

uint32_t largest_magnitude(int64_t n, const float* EWC_RESTRICT values) {
    uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t magnitude = magnitude_bits(values[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

float narrow_i16(int64_t n, uint16_t* EWC_RESTRICT to, const float* EWC_RESTRICT from) {
    const I16Block block(largest_magnitude(n, from));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = block.level(from[i]);
    }
    return block.step;
}

void widen_u8(int64_t n, float* EWC_RESTRICT to, const uint8_t* EWC_RESTRICT from, float scale) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = u8_to_f32(from[i], scale);
    }
}

float narrow_u8(int64_t n, uint8_t* EWC_RESTRICT to, const float* EWC_RESTRICT from) {
    const U8Block block(largest_magnitude(n, from));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        to[i] = block.level(from[i]);
    }
    return block.step;
}

// One tile of a list as f32: where it lies, if it is f32, else in a buffer of its own.
class Tile {
public:
    explicit Tile(const Elements& elements) : elements_(elements) {}

    // The n elements from first, which is a multiple of kTile.
    float* read(int64_t first, int64_t n) {
        switch (elements_.dtype) {
        case EWC_F32:
            return static_cast<float*>(elements_.data) + first;
        case EWC_F16:
            widen_f16(n, buffer_, halves(first));
            break;
        case EWC_BF16:
            widen_bf16(n, buffer_, halves(first));
            break;
        case EWC_I16_BLOCK256:
            for (int64_t block = 0; block < n; block += kBlock) {
                widen_i16(least(kBlock, n - block), buffer_ + block, halves(first + block), *step(first + block));
            }
            break;
        case EWC_U8_BLOCK256:
            for (int64_t block = 0; block < n; block += kBlock) {
                widen_u8(least(kBlock, n - block), buffer_ + block, bytes(first + block), *step(first + block));
            }
            break;
        case EWC_NO_DTYPE: // refused with the arguments
            break;
        }
        return buffer_;
    }

    // Leaves in the list what read() gave and the verb changed.
    void write_back(int64_t first, int64_t n) {
        if (elements_.dtype != EWC_F32) {
            write(first, n, buffer_);
        }
    }

    void write(int64_t first, int64_t n, const float* values) {
        switch (elements_.dtype) {
        case EWC_F32:
            __builtin_memcpy(static_cast<float*>(elements_.data) + first, values, static_cast<size_t>(n) * sizeof(float));
            break;
        case EWC_F16:
            narrow_f16(n, halves(first), values);
            break;
        case EWC_BF16:
            narrow_bf16(n, halves(first), values);
            break;
        case EWC_I16_BLOCK256:
            for (int64_t block = 0; block < n; block += kBlock) {
                *step(first + block) = narrow_i16(least(kBlock, n - block), halves(first + block), values + block);
            }
            break;
        case EWC_U8_BLOCK256:
            for (int64_t block = 0; block < n; block += kBlock) {
                *step(first + block) = narrow_u8(least(kBlock, n - block), bytes(first + block), values + block);
            }
            break;
        case EWC_NO_DTYPE: // refused with the arguments
            break;
        }
    }

    // Sets elements to zero; of f32, f16 and bf16 only.
    void clear(int64_t first, int64_t n) {
        const int64_t bytes = element_bytes(elements_.dtype);
        __builtin_memset(static_cast<char*>(elements_.data) + first * bytes, 0, static_cast<size_t>(n * bytes));
    }

private:
    uint16_t* halves(int64_t first) const { return static_cast<uint16_t*>(elements_.data) + first; }
    uint8_t* bytes(int64_t first) const { return static_cast<uint8_t*>(elements_.data) + first; }
    float* step(int64_t first) const { return elements_.steps + first / kBlock; }

    const Elements& elements_;
    alignas(64) float buffer_[kTile];
};

} // namespace
} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
