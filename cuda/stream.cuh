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
// Element by element for the rest of a chunk, and where a list is misaligned (views into arenas need not be aligned): there
// each thread takes the elements that it would take four at a time, in the same order, so that sums have the same bits.
template <typename Lanes, int lists, int sums>
__device__ __forceinline__ void stream(const Lanes& lanes, const Elements (&given)[lists], int n, double (&sum)[sums]) {
    constexpr int kRound = kThreads * kLanes;
    constexpr int kStep = Lanes::kRounds * kRound;
    const int whole = n - n % kStep;
    const int single = whole + static_cast<int>(threadIdx.x);
    int i = whole == 0 ? single : static_cast<int>(threadIdx.x) * kLanes;
    if (lanes.aligned(given)) {
#pragma unroll 1 // kRounds says what is in flight; unrolled further, the compiler spills
        for (; i < whole; i += kStep) {
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
        i = single;
    }
#pragma unroll 1
    while (i < n) {
        typename Lanes::template Registers<1> registers;
        lanes.load(registers, given, i);
        lanes.apply(registers, given, i, sum);
        if (i >= whole) {
            i += kThreads;
        } else {
            i += i % kLanes == kLanes - 1 ? kRound - (kLanes - 1) : 1;
            i = i < whole ? i : single;
        }
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

constexpr int kFinishThreads = 1024;
constexpr int kFinishRounds = 4;

// The second kernel of a reduction: one block adds the chunks' partial sums and hands them to finish(sums). A thread has
// four chunks' sums in flight and adds them in order, so that the 24,700 chunks of 405 million elements are six rounds: its
// time is about its launch. (A last-block scheme in the first kernel would need a counter that someone sets to zero.)
template <int sums, typename Finish>
__global__ void __launch_bounds__(kFinishThreads)
    finish_kernel(const double* partials, int64_t chunks, const Finish finish) {
    double sum[sums] = {};
    int64_t chunk = threadIdx.x;
#pragma unroll 1
    for (; chunk + (kFinishRounds - 1) * kFinishThreads < chunks; chunk += kFinishRounds * kFinishThreads) {
        double added[kFinishRounds][sums];
#pragma unroll
        for (int round = 0; round < kFinishRounds; ++round) {
#pragma unroll
            for (int s = 0; s < sums; ++s) {
                added[round][s] = partials[(chunk + round * kFinishThreads) * sums + s];
            }
        }
#pragma unroll
        for (int round = 0; round < kFinishRounds; ++round) {
#pragma unroll
            for (int s = 0; s < sums; ++s) {
                sum[s] += added[round][s];
            }
        }
    }
#pragma unroll 1
    for (; chunk < chunks; chunk += kFinishThreads) {
#pragma unroll
        for (int s = 0; s < sums; ++s) {
            sum[s] += partials[chunk * sums + s];
        }
    }
    block_sum<kFinishThreads>(sum);
    if (threadIdx.x == 0) {
        finish(sum);
    }
}

} // namespace ewc::cuda
