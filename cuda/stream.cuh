// How a block of threads walks a chunk, and how what it summed on the way becomes one number.
#pragma once

#include "vector.cuh"

namespace ewc::cuda {

constexpr int kThreads = 256;

// Runs a verb's lanes over n elements. Lanes has
//   kRounds                      how many groups of lanes a thread has in flight
//   aligned(lists)               whether all given lists allow the wide accesses
//   Registers<lanes>             what is held of the lists for `lanes` elements
//   load(registers, lists, i)    loads only
//   apply(registers, lists, i, sums)
// Element by element where a list is misaligned (views into arenas need not be aligned), and for the rest of a chunk.
template <typename Lanes, int lists, int sums>
__device__ __forceinline__ void stream(const Lanes& lanes, const Elements (&given)[lists], int n, double (&sum)[sums]) {
    constexpr int kRound = kThreads * kLanes;
    constexpr int kStep = Lanes::kRounds * kRound;
    const int wide = lanes.aligned(given) ? n - n % kStep : 0;
#pragma unroll 1 // kRounds says what is in flight; unrolled further, the compiler spills
    for (int i = static_cast<int>(threadIdx.x) * kLanes; i < wide; i += kStep) {
        typename Lanes::template Registers<kLanes> registers[Lanes::kRounds];
#pragma unroll
        for (int round = 0; round < Lanes::kRounds; ++round) {
            lanes.load(registers[round], given, i + round * kRound);
        }
#pragma unroll
        for (int round = 0; round < Lanes::kRounds; ++round) {
            lanes.apply(registers[round], given, i + round * kRound, sum);
        }
    }
#pragma unroll 1
    for (int i = wide + static_cast<int>(threadIdx.x); i < n; i += kThreads) {
        typename Lanes::template Registers<1> registers;
        lanes.load(registers, given, i);
        lanes.apply(registers, given, i, sum);
    }
}

constexpr int kWarp = 32;

// The block's sum of each value, in thread 0. The tree is the same on every run, and there are no atomics: same bits.
template <int threads = kThreads, int sums>
__device__ __forceinline__ void block_sum(double (&sum)[sums]) {
    __shared__ double warps[threads / kWarp][sums];
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
    for (int s = 0; s < sums; ++s) {
#pragma unroll
        for (int distance = kWarp / 2; distance > 0; distance /= 2) {
            sum[s] += __shfl_down_sync(0xffffffffu, sum[s], distance);
        }
        if (threadIdx.x % kWarp == 0) {
            warps[warp][s] = sum[s];
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll
        for (int s = 0; s < sums; ++s) {
            sum[s] = 0.0;
            for (int w = 0; w < threads / kWarp; ++w) {
                sum[s] += warps[w][s];
            }
        }
    }
}

// The largest of the block's values, in every thread; a NaN is passed over. Once a kernel.
template <int threads>
__device__ __forceinline__ float block_largest(float value) {
    __shared__ float warps[threads / kWarp];
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, value, distance);
        value = other > value ? other : value;
    }
    if (threadIdx.x % kWarp == 0) {
        warps[threadIdx.x / kWarp] = value;
    }
    __syncthreads();
    value = warps[0];
#pragma unroll
    for (int warp = 1; warp < threads / kWarp; ++warp) {
        value = warps[warp] > value ? warps[warp] : value;
    }
    return value;
}

// The second kernel of a reduction: one block adds the chunks' partial sums and hands them to finish(sums). So small that
// its time is its launch; a last-block scheme in the first kernel would need a counter that someone sets to zero.
template <int sums, typename Finish>
__global__ void __launch_bounds__(kThreads) finish_kernel(const double* partials, int64_t chunks, const Finish finish) {
    double sum[sums] = {};
    for (int64_t chunk = threadIdx.x; chunk < chunks; chunk += kThreads) {
#pragma unroll
        for (int s = 0; s < sums; ++s) {
            sum[s] += partials[chunk * sums + s];
        }
    }
    block_sum(sum);
    if (threadIdx.x == 0) {
        finish(sum);
    }
}

} // namespace ewc::cuda
