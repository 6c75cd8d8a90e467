// What the dtypes of ewc.h look like in memory, and one element of each to f32 and back, for host and device alike.
//
// The conversions are branchless, so that the host vectorises them. A device takes its own instructions for them, and so do
// the host kernels for f16 where the CPU has one; tests hold all to the same roundings.
#pragma once

#include <cstdint>

#include "ewc/ewc.h"
#include "functors.h"

namespace ewc {

// Elements of EWC_I16_BLOCK256 and EWC_U8_BLOCK256 that share a step.
constexpr int64_t kBlock = 256;

EWC_FUNCTION int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// How many pieces of that size hold the elements, and their size together.
EWC_FUNCTION int64_t ceiling(int64_t elements, int64_t each) { return elements / each + (elements % each != 0); }
EWC_FUNCTION int64_t round_up(int64_t elements, int64_t each) { return ceiling(elements, each) * each; }

EWC_FUNCTION uint32_t bits_of(float value) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(value);
#else
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
#endif
}

EWC_FUNCTION float float_of(uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
#endif
}

constexpr uint32_t kInfinityBits = 0x7f800000u;
constexpr uint32_t kNanBits = 0x7fc00000u;

EWC_FUNCTION uint32_t magnitude_bits(float value) { return bits_of(value) & 0x7fffffffu; }

EWC_FUNCTION float bf16_to_f32(uint16_t half) { return float_of(static_cast<uint32_t>(half) << 16); }

// Round to nearest even. NaN stays NaN, quiet, where rounding its bits could make it Inf.
EWC_FUNCTION uint16_t f32_to_bf16(float value) {
#if defined(__CUDA_ARCH__)
    uint16_t half;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
#else
    const uint32_t bits = bits_of(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t nan = (bits >> 16) | 0x40u;
    return static_cast<uint16_t>(magnitude_bits(value) > kInfinityBits ? nan : rounded);
#endif
}

EWC_FUNCTION float f16_to_f32(uint16_t half) {
#if defined(__CUDA_ARCH__)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
#else
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13; // exponent and fraction in their f32 places
    const uint32_t normal = magnitude + ((127u - 15u) << 23);
    const uint32_t special = magnitude + ((255u - 31u) << 23); // Inf and NaN
    const uint32_t quiet = magnitude > (31u << 23) ? 0x00400000u : 0u;
    // A subnormal is its fraction in units of 2^-24: let f32 arithmetic normalise it.
    const uint32_t subnormal = bits_of(float_of(magnitude + (113u << 23)) - float_of(113u << 23));
    const uint32_t finite = magnitude < (1u << 23) ? subnormal : normal;
    return float_of(sign | (magnitude >= (31u << 23) ? special | quiet : finite));
#endif
}

// Round to nearest even; beyond 65,504 Inf.
EWC_FUNCTION uint16_t f32_to_f16(float value) {
#if defined(__CUDA_ARCH__)
    uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
#else
    const uint32_t sign = (bits_of(value) >> 16) & 0x8000u;
    const uint32_t magnitude = magnitude_bits(value);
    const uint32_t normal = (magnitude - ((127u - 15u) << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    // Below 2^-14: adding 1/2 leaves a multiple of 2^-24 in the low bits of the fraction, rounded by the addition itself.
    const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    const uint32_t finite = magnitude < (113u << 23) ? subnormal : normal;
    const uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    const uint32_t special = magnitude > kInfinityBits ? nan : 0x7c00u;
    return static_cast<uint16_t>(sign | (magnitude >= (143u << 23) ? special : finite));
#endif
}

EWC_FUNCTION float i16_to_f32(uint16_t level, float step) {
    return static_cast<float>(static_cast<int16_t>(level)) * step;
}

// The step of a block of EWC_I16_BLOCK256 and what its values are multiplied with to become levels. The magnitudes are
// compared as bits, so that a NaN or Inf is the largest: such a block reads as NaN. Below 1e-30, as zero.
struct I16Block {
    float step;
    float inverse;

    EWC_FUNCTION explicit I16Block(uint32_t largest_magnitude_bits) {
        const float largest = float_of(largest_magnitude_bits);
        const bool finite = largest_magnitude_bits < kInfinityBits;
        const bool level = finite && largest >= 1e-30f;
        step = level ? largest / 32767.0f : finite ? 0.0f : float_of(kNanBits);
        inverse = level ? 32767.0f / largest : 0.0f;
    }

    EWC_FUNCTION uint16_t level(float value) const {
        // Adding 1.5 * 2^23 rounds to nearest even and leaves the integer in the low bits.
        const float shift = 12582912.0f;
        const float scaled = value * inverse;
        const bool finite = magnitude_bits(scaled) < kInfinityBits;
        return static_cast<uint16_t>(bits_of((finite ? scaled : 0.0f) + shift) - bits_of(shift));
    }
};

// The product first: it is an exact integer below 2^16.
EWC_FUNCTION float u8_to_f32(uint8_t level, float scale) {
    const float root = static_cast<float>(level);
    return (root * root) * scale;
}

// The scale of a block of EWC_U8_BLOCK256 and what its values are multiplied with to become squares of levels; as I16Block.
struct U8Block {
    float step;
    float inverse;

    EWC_FUNCTION explicit U8Block(uint32_t largest_magnitude_bits) {
        const float largest = float_of(largest_magnitude_bits);
        const bool finite = largest_magnitude_bits < kInfinityBits;
        const bool level = finite && largest >= 1e-30f;
        step = level ? largest / 65025.0f : finite ? 0.0f : float_of(kNanBits);
        inverse = level ? 65025.0f / largest : 0.0f;
    }

    EWC_FUNCTION uint8_t level(float value) const {
        const float shift = 12582912.0f;
        const float scaled = value * inverse;
        const bool root = scaled > 0.0f && magnitude_bits(scaled) < kInfinityBits;
        return static_cast<uint8_t>(bits_of(square_root(root ? scaled : 0.0f) + shift) - bits_of(shift));
    }
};

EWC_FUNCTION int64_t element_bytes(ewc_dtype dtype) { return dtype == EWC_F32 ? 4 : dtype == EWC_U8_BLOCK256 ? 1 : 2; }

EWC_FUNCTION bool has_steps(ewc_dtype dtype) { return dtype == EWC_I16_BLOCK256 || dtype == EWC_U8_BLOCK256; }

EWC_FUNCTION int64_t blocks_of(int64_t numel) { return numel / kBlock + (numel % kBlock != 0); }

// Where the steps of a segment begin, in bytes: behind the levels, at the next multiple of 4.
EWC_FUNCTION int64_t steps_offset(ewc_dtype dtype, int64_t numel) { return (element_bytes(dtype) * numel + 3) & ~int64_t{3}; }

EWC_FUNCTION int64_t segment_bytes(ewc_dtype dtype, int64_t numel) {
    return has_steps(dtype) ? steps_offset(dtype, numel) + 4 * blocks_of(numel) : element_bytes(dtype) * numel;
}

// n elements of one list, from a multiple of kBlock within its segment.
struct Elements {
    void* data; // null: the list was not given
    float* steps; // where has_steps(dtype): the step, or scale, of the first block
    ewc_dtype dtype;
};

EWC_FUNCTION Elements elements_at(void* segment, int64_t numel, ewc_dtype dtype, int64_t offset) {
    char* address = static_cast<char*>(segment);
    float* steps = nullptr;
    if (has_steps(dtype)) {
        steps = reinterpret_cast<float*>(address + steps_offset(dtype, numel)) + offset / kBlock;
    }
    return {address + offset * element_bytes(dtype), steps, dtype};
}

} // namespace ewc
