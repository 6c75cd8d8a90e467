// Fisher maximum:  F = max(F, F_new), element by element.
//
// Bytes moved     12 an element: F read and written, F_new read; 8 with F in bf16 and F_new in f32.
// Launch shape    as fisher_merge.cu: one block of 256 threads for each 16,384 elements, two groups of four elements of
//                 each list in flight a thread.
// Determinism     no sum crosses an element. NaN in either list stays, which the device's own max instruction drops.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o fisher_max <program>
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind fisher_kind, Kind new_kind>
struct FisherMaxLanes {
    static constexpr int kSums = 0;
    static constexpr int kRounds = 2;

    template <int lanes>
    struct Registers {
        Pack<fisher_kind, lanes> fisher;
        Pack<new_kind, lanes> new_fisher;
    };

    __device__ bool aligned(const Elements (&lists)[2]) const {
        return aligned_for_lanes<fisher_kind>(lists[0]) && aligned_for_lanes<new_kind>(lists[1]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[2], int i) const {
        registers.fisher.load(lists[0], i);
        registers.new_fisher.load_read_only(lists[1], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[2], int i,
                                          double (&)[1]) const {
        float larger[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            larger[lane] =
                FisherMax{}(registers.fisher.get(lists[0], lane), registers.new_fisher.get(lists[1], lane));
        }
        store<fisher_kind>(lists[0], i, larger);
    }

    __device__ void operator()(const DeviceChunk<2, 0>& chunk, double (&sum)[1]) const {
        stream(*this, chunk.given, chunk.n, sum);
    }
};

} // namespace

ewc_status fisher_max(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher,
                      ewc_cuda_message* message) {
    const ewc_list* const lists[2] = {fisher, new_fisher};
    return on_device(*exec, message, [&] {
        return with_f32_or_half(*fisher, [&](auto fisher_kind) {
            return with_read_fisher(*new_fisher, [&](auto new_kind) {
                return launch_chunks(*exec, lists, *fisher,
                                     FisherMaxLanes<decltype(fisher_kind)::value, decltype(new_kind)::value>{});
            });
        });
    });
}

} // namespace ewc::cuda
