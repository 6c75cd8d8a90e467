// Fisher merge:  F = r F + w F_new, element by element; r F alone where there is no F_new.
//
// Bytes moved     12 an element: F read and written, F_new read; 10 with F_new in bf16 and 9 with it in 8 bit, the way a
//                 Fisher that is kept in few bits joins one that was accumulated in f32.
// Launch shape    as fisher_accumulate.cu: one block of 256 threads for each 16,384 elements, two groups of four elements
//                 of each list in flight a thread.
// Zero            a coefficient of 0 drops its term, NaN included, as it does on the host: chosen once, for all threads.
// Determinism     no sum crosses an element.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o fisher_merge <program>
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind fisher_kind, Kind new_kind>
struct FisherMergeLanes {
    static constexpr int kSums = 0;
    static constexpr int kRounds = 2;

    FisherMerge merge;
    bool keep_old;
    bool add_new;

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
        float merged[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            const float fisher = keep_old ? registers.fisher.get(lists[0], lane) : 0.0f;
            const float new_fisher = add_new ? registers.new_fisher.get(lists[1], lane) : 0.0f;
            merged[lane] = merge(fisher, new_fisher);
        }
        store<fisher_kind>(lists[0], i, merged);
    }

    __device__ void operator()(const DeviceChunk<2, 0>& chunk, double (&sum)[1]) const {
        stream(*this, chunk.given, chunk.n, sum);
    }
};

} // namespace

ewc_status fisher_merge(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher, double retain,
                        double weight, ewc_cuda_message* message) {
    const ewc_list* const lists[2] = {fisher, new_fisher};
    const FisherMerge merge{static_cast<float>(retain), static_cast<float>(weight)};
    const bool keep_old = merge.retain != 0.0f;
    const bool add_new = merge.weight != 0.0f && new_fisher != nullptr;
    return on_device(*exec, message, [&] {
        return with_f32_or_half(*fisher, [&](auto fisher_kind) {
            constexpr Kind kept = decltype(fisher_kind)::value;
            if (!add_new) {
                return launch_chunks(*exec, lists, *fisher, FisherMergeLanes<kept, Kind::none>{merge, keep_old, false});
            }
            return with_read_fisher(*new_fisher, [&](auto new_kind) {
                constexpr Kind added = decltype(new_kind)::value;
                return launch_chunks(*exec, lists, *fisher, FisherMergeLanes<kept, added>{merge, keep_old, true});
            });
        });
    });
}

} // namespace ewc::cuda
