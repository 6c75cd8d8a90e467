// Fisher accumulation:  F += w g^2, element by element.
//
// Bytes moved     12 an element: F read and written, g read; 16 where g is zeroed in the same pass.
// Launch shape    one block of 256 threads for each 65,536 elements. The kernel does two flops a 12 bytes, so it is a
//                 matter of loads in flight: each thread has one 128-bit load of F and one of g open, and 8 blocks of 256
//                 fill a multiprocessor's 2,048 threads, 64 KiB in flight, above the 40 KiB or so that latency times
//                 bandwidth asks for on an H100.
// Alignment       128-bit accesses where both addresses are multiples of 16, else one element a thread: torch aligns
//                 allocations, views into arenas need not be.
// Determinism     no sum crosses an element: the bits cannot depend on the order.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o fisher_accumulate <program>
//                 and read dram__throughput.avg.pct_of_peak_sustained_elapsed (want > 90 %).
#include "fisher_accumulate.cuh"

#include "functors.h"
#include "launch.cuh"
#include "vector.cuh"

namespace ewc::cuda {
namespace {

template <bool zero_gradient>
struct FisherAccumulateChunk {
    FisherAccumulate accumulate;

    __device__ void operator()(float* const (&lists)[2], int64_t n) const {
        float* __restrict__ fisher = lists[0];
        float* __restrict__ gradient = lists[1];
        int64_t done = 0;
        if (aligned_to_128_bits(fisher) && aligned_to_128_bits(gradient)) {
            done = n - n % kLanes;
            for (int64_t i = threadIdx.x * kLanes; i < done; i += kThreads * kLanes) {
                wide(fisher + i, gradient + i);
            }
        }
        for (int64_t i = done + threadIdx.x; i < n; i += kThreads) {
            fisher[i] = accumulate(fisher[i], gradient[i]);
            if constexpr (zero_gradient) {
                gradient[i] = 0.0f;
            }
        }
    }

private:
    __device__ __forceinline__ void wide(float* fisher, float* gradient) const {
        float f[kLanes];
        float g[kLanes];
        load(f, fisher);
        load(g, gradient);
#pragma unroll
        for (int lane = 0; lane < kLanes; ++lane) {
            f[lane] = accumulate(f[lane], g[lane]);
            g[lane] = 0.0f;
        }
        store(fisher, f);
        if constexpr (zero_gradient) {
            store(gradient, g);
        }
    }
};

} // namespace

ewc_status fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient, double weight,
                             bool zero_gradient, ewc_cuda_message* message) {
    const ewc_list* const lists[2] = {fisher, gradient};
    const FisherAccumulate functor{static_cast<float>(weight)};
    return zero_gradient ? launch(*exec, lists, FisherAccumulateChunk<true>{functor}, message)
                         : launch(*exec, lists, FisherAccumulateChunk<false>{functor}, message);
}

} // namespace ewc::cuda
