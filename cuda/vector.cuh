// 128-bit loads and stores where the addresses allow, element by element where not.
#pragma once

#include <cstdint>

namespace ewc::cuda {

constexpr int kLanes = 4; // f32 in 128 bits

__device__ __forceinline__ bool aligned_to_128_bits(const float* address) {
    return (reinterpret_cast<uintptr_t>(address) & 15) == 0;
}

__device__ __forceinline__ void load(float (&lanes)[kLanes], const float* address) {
    const float4 wide = *reinterpret_cast<const float4*>(address);
    lanes[0] = wide.x;
    lanes[1] = wide.y;
    lanes[2] = wide.z;
    lanes[3] = wide.w;
}

__device__ __forceinline__ void store(float* address, const float (&lanes)[kLanes]) {
    *reinterpret_cast<float4*>(address) = make_float4(lanes[0], lanes[1], lanes[2], lanes[3]);
}

} // namespace ewc::cuda
