// What a thread holds of a list: four neighbouring elements, or one where the addresses allow no wide access.
//
// A warp reads 512 neighbouring bytes of an f32 list in one 128-bit instruction a thread, and 256 of a 16-bit list in one
// of 64 bits: every list is walked in the same steps of four elements, so that all accesses are contiguous over the warp.
// (Eight elements a thread would make the 16-bit access 128 bits wide and leave gaps in every f32 access beside it.)
//
// Loading and decoding are apart: a thread first has the raw bits of all its lists in flight, then looks at any.
#pragma once

#include "elements.h"

namespace ewc::cuda {

// How the elements of a list are held; known when the kernel is compiled, unlike which of two 16-bit floats they are.
enum class Kind {
    none,  // the list was not given
    f32,   //
    half,  // f16 or bf16
    block, // f16, bf16 or i16 with a step for each block: what an anchor in 16 bit may be
    byte,  // u8 with a scale for each block: what a Fisher may be
};

constexpr int kLanes = 4;

template <Kind kind>
__device__ __forceinline__ bool aligned_for_lanes(const Elements& list) {
    constexpr uintptr_t bytes = kind == Kind::f32 ? 16 : kind == Kind::byte ? 4 : 8;
    return kind == Kind::none || (reinterpret_cast<uintptr_t>(list.data) & (bytes - 1)) == 0;
}

template <Kind kind, int lanes>
struct Pack;

// A list that was not given: nothing to load, and zeros if anyone asks.
template <int lanes>
struct Pack<Kind::none, lanes> {
    __device__ __forceinline__ void load(const Elements&, int) {}
    __device__ __forceinline__ void load_read_only(const Elements&, int) {}
    __device__ __forceinline__ float get(const Elements&, int) const { return 0.0f; }
};

template <>
struct Pack<Kind::f32, kLanes> {
    float4 raw;
    __device__ __forceinline__ void load(const Elements& list, int i) {
        raw = *reinterpret_cast<const float4*>(static_cast<const float*>(list.data) + i);
    }
    // Through the read-only path: for lists that no thread of the kernel writes.
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(reinterpret_cast<const float4*>(static_cast<const float*>(list.data) + i));
    }
    __device__ __forceinline__ float get(const Elements&, int lane) const {
        return lane == 0 ? raw.x : lane == 1 ? raw.y : lane == 2 ? raw.z : raw.w;
    }
};

template <>
struct Pack<Kind::f32, 1> {
    float raw;
    __device__ __forceinline__ void load(const Elements& list, int i) { raw = static_cast<const float*>(list.data)[i]; }
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(static_cast<const float*>(list.data) + i);
    }
    __device__ __forceinline__ float get(const Elements&, int) const { return raw; }
};

__device__ __forceinline__ float decode(ewc_dtype dtype, uint16_t half) {
    return dtype == EWC_BF16 ? bf16_to_f32(half) : f16_to_f32(half);
}

template <>
struct Pack<Kind::half, kLanes> {
    uint2 raw;
    __device__ __forceinline__ void load(const Elements& list, int i) {
        raw = *reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(list.data) + i);
    }
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(list.data) + i));
    }
    __device__ __forceinline__ uint16_t bits(int lane) const {
        const uint32_t pair = lane < 2 ? raw.x : raw.y;
        return static_cast<uint16_t>(lane % 2 == 0 ? pair : pair >> 16);
    }
    __device__ __forceinline__ float get(const Elements& list, int lane) const { return decode(list.dtype, bits(lane)); }
};

template <>
struct Pack<Kind::half, 1> {
    uint16_t raw;
    __device__ __forceinline__ void load(const Elements& list, int i) {
        raw = static_cast<const uint16_t*>(list.data)[i];
    }
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(static_cast<const uint16_t*>(list.data) + i);
    }
    __device__ __forceinline__ uint16_t bits(int) const { return raw; }
    __device__ __forceinline__ float get(const Elements& list, int) const { return decode(list.dtype, raw); }
};

// Four lanes never cross a block: i is a multiple of four, and so is the block.
template <int lanes>
struct Pack<Kind::block, lanes> {
    Pack<Kind::half, lanes> levels;
    float step;
    __device__ __forceinline__ void load(const Elements& list, int i) {
        levels.load(list, i);
        step = list.dtype == EWC_I16_BLOCK256 ? list.steps[i / kBlock] : 1.0f;
    }
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        levels.load_read_only(list, i);
        step = list.dtype == EWC_I16_BLOCK256 ? __ldg(list.steps + i / kBlock) : 1.0f;
    }
    __device__ __forceinline__ float get(const Elements& list, int lane) const {
        const uint16_t bits = levels.bits(lane);
        return list.dtype == EWC_I16_BLOCK256 ? i16_to_f32(bits, step) : decode(list.dtype, bits);
    }
};

template <>
struct Pack<Kind::byte, kLanes> {
    uint32_t raw;
    float scale;
    __device__ __forceinline__ void load(const Elements& list, int i) { load_read_only(list, i); } // no verb writes it
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(reinterpret_cast<const uint32_t*>(static_cast<const uint8_t*>(list.data) + i));
        scale = __ldg(list.steps + i / kBlock);
    }
    __device__ __forceinline__ float get(const Elements&, int lane) const {
        return u8_to_f32(static_cast<uint8_t>(raw >> (8 * lane)), scale);
    }
};

template <>
struct Pack<Kind::byte, 1> {
    uint8_t raw;
    float scale;
    __device__ __forceinline__ void load(const Elements& list, int i) { load_read_only(list, i); }
    __device__ __forceinline__ void load_read_only(const Elements& list, int i) {
        raw = __ldg(static_cast<const uint8_t*>(list.data) + i);
        scale = __ldg(list.steps + i / kBlock);
    }
    __device__ __forceinline__ float get(const Elements&, int) const { return u8_to_f32(raw, scale); }
};

__device__ __forceinline__ void store_f32(const Elements& list, int i, const float (&values)[kLanes]) {
    *reinterpret_cast<float4*>(static_cast<float*>(list.data) + i) =
        make_float4(values[0], values[1], values[2], values[3]);
}

__device__ __forceinline__ void store_f32(const Elements& list, int i, const float (&values)[1]) {
    static_cast<float*>(list.data)[i] = values[0];
}

__device__ __forceinline__ uint16_t encode(ewc_dtype dtype, float value) {
    return dtype == EWC_BF16 ? f32_to_bf16(value) : f32_to_f16(value);
}

__device__ __forceinline__ uint32_t encode_pair(ewc_dtype dtype, float low, float high) {
    return encode(dtype, low) | static_cast<uint32_t>(encode(dtype, high)) << 16;
}

__device__ __forceinline__ void store_half(const Elements& list, int i, const float (&values)[kLanes]) {
    *reinterpret_cast<uint2*>(static_cast<uint16_t*>(list.data) + i) =
        make_uint2(encode_pair(list.dtype, values[0], values[1]), encode_pair(list.dtype, values[2], values[3]));
}

__device__ __forceinline__ void store_half(const Elements& list, int i, const float (&values)[1]) {
    static_cast<uint16_t*>(list.data)[i] = encode(list.dtype, values[0]);
}

template <Kind kind, int lanes>
__device__ __forceinline__ void store(const Elements& list, int i, const float (&values)[lanes]) {
    static_assert(kind == Kind::f32 || kind == Kind::half, "blocks are written by convert.cu, nothing by none");
    if constexpr (kind == Kind::f32) {
        store_f32(list, i, values);
    } else {
        store_half(list, i, values);
    }
}

template <Kind kind, int lanes>
__device__ __forceinline__ void clear(const Elements& list, int i) {
    constexpr float zeros[lanes] = {}; // every dtype's zero is all bits zero, so the encoding costs nothing
    store<kind>(list, i, zeros);
}

} // namespace ewc::cuda
