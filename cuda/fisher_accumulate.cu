// Fisher accumulation:  F += w g^2, element by element.
//
// Bytes moved     12 an element: F read and written, g read; 16 where g is zeroed in the same pass. 10 and 12 with g in
//                 16 bit.
// Launch shape    one block of 256 threads for each 16,384 elements. The kernel does two flops a 12 bytes, so it is a
//                 matter of loads in flight: each thread has two 128-bit loads of F and two of g open, and 6 blocks of 256
//                 on a multiprocessor make 96 KiB in flight, above the 40 KiB or so that latency times bandwidth asks for
//                 on an H100.
// Determinism     no sum crosses an element: the bits cannot depend on the order.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o fisher_accumulate <program>
//                 and read dram__throughput.avg.pct_of_peak_sustained_elapsed (want > 90 %).
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind gradient_kind>
struct FisherAccumulateLanes {
    static constexpr int kSums = 0;
    static constexpr int kRounds = 2;

    FisherAccumulate accumulate;
    bool zero_gradient;

    template <int lanes>
    struct Registers {
        Pack<Kind::f32, lanes> fisher;
        Pack<gradient_kind, lanes> gradient;
    };

    __device__ bool aligned(const Elements (&lists)[2]) const {
        return aligned_for_lanes<Kind::f32>(lists[0]) && aligned_for_lanes<gradient_kind>(lists[1]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[2], int i) const {
        registers.fisher.load(lists[0], i);
        registers.gradient.load(lists[1], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[2], int i,
                                          double (&)[1]) const {
        float fisher[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            fisher[lane] = accumulate(registers.fisher.get(lists[0], lane), registers.gradient.get(lists[1], lane));
        }
        store<Kind::f32>(lists[0], i, fisher);
        if (zero_gradient) { // the same for all threads, so it costs no divergence
            clear<gradient_kind, lanes>(lists[1], i);
        }
    }

    __device__ void operator()(const DeviceChunk<2, 0>& chunk, double (&sum)[1]) const {
        stream(*this, chunk.given, chunk.n, sum);
    }
};

} // namespace

ewc_status fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient, double weight,
                             bool zero_gradient, ewc_cuda_message* message) {
    const ewc_list* const lists[2] = {fisher, gradient};
    const FisherAccumulate functor{static_cast<float>(weight)};
    return on_device(*exec, message, [&] {
        return with_f32_or_half(*gradient, [&](auto kind) {
            return launch_chunks(*exec, lists, *fisher,
                                 FisherAccumulateLanes<decltype(kind)::value>{functor, zero_gradient});
        });
    });
}

} // namespace ewc::cuda
