// The anchors of several tasks as one (ewc.h has the algebra). a is theta*, t is theta, D lies where a lay:
//   displace   D = F (a - t),                       E = 1/2 sum D^2 / F
//   restore    E = 1/2 sum D^2 / F,                 a = t + D / F
//   merge      b = t + (a - t) F / (F + F_k),       E = 1/2 sum F F_k / (F + F_k) (a - t)^2,
//              F = F + F_k,  b written where F_k lay
//
// Bytes moved     displace and restore 16 an element, merge 24; less 2 for a in 16 bit, 4 for F in bf16. Once a task.
// Launch shape    one block of 256 threads for each 16,384 elements, then one block that adds the chunks' sums. One group
//                 of four elements of each list in flight a thread: the quotients in double take the registers.
// Determinism     as penalty.cu: sums in double, in an order fixed by the sizes. No atomics.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o anchor <program>
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <AnchorChange change, Kind fisher_kind, Kind anchor_kind>
struct AnchorLanes {
    static constexpr int kSums = 1;
    static constexpr int kRounds = 1;
    static constexpr bool kMerge = change == AnchorChange::merge;
    static constexpr Kind kNewKind = kMerge ? Kind::f32 : Kind::none;

    template <int lanes>
    struct Registers {
        Pack<anchor_kind, lanes> anchor;
        Pack<Kind::f32, lanes> theta;
        Pack<fisher_kind, lanes> fisher;
        Pack<kNewKind, lanes> new_fisher;
    };

    __device__ bool aligned(const Elements (&lists)[4]) const {
        return aligned_for_lanes<anchor_kind>(lists[0]) && aligned_for_lanes<Kind::f32>(lists[1]) &&
               aligned_for_lanes<fisher_kind>(lists[2]) && aligned_for_lanes<kNewKind>(lists[3]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[4], int i) const {
        registers.anchor.load(lists[0], i);
        registers.theta.load_read_only(lists[1], i);
        registers.fisher.load(lists[2], i);
        registers.new_fisher.load(lists[3], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[4], int i,
                                          double (&sum)[1]) const {
        float anchor[lanes];
        float total[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            const float given = registers.anchor.get(lists[0], lane);
            const float theta = registers.theta.get(lists[1], lane);
            const float fisher = registers.fisher.get(lists[2], lane);
            if constexpr (change == AnchorChange::displace) {
                anchor[lane] = displaced_anchor(given, theta, fisher);
                sum[0] += displacement_term(anchor[lane], fisher);
            } else if constexpr (change == AnchorChange::restore) {
                sum[0] += displacement_term(given, fisher);
                anchor[lane] = restored_anchor(given, theta, fisher);
            } else {
                const float new_fisher = registers.new_fisher.get(lists[3], lane);
                total[lane] = fisher + new_fisher;
                sum[0] += merge_term(given, theta, fisher, new_fisher, total[lane]);
                anchor[lane] = merged_anchor(given, theta, fisher, total[lane]);
            }
        }
        if constexpr (kMerge) {
            store<fisher_kind>(lists[2], i, total);
            store<Kind::f32>(lists[3], i, anchor);
        } else {
            store<Kind::f32>(lists[0], i, anchor);
        }
    }

    __device__ void operator()(const DeviceChunk<4, 0>& chunk, double (&sum)[1]) const {
        stream(*this, chunk.given, chunk.n, sum);
    }
};

struct AnchorFinish {
    double* energy;

    __device__ void operator()(const double (&sum)[1]) const { *energy = 0.5 * sum[0]; }
};

} // namespace

ewc_status anchor(const ewc_exec* exec, AnchorChange change, const AnchorLists* lists, double* energy, void* workspace,
                  ewc_cuda_message* message) {
    const ewc_list* const given[4] = {lists->anchor, lists->theta, lists->fisher, lists->new_fisher};
    double* partials = static_cast<double*>(workspace);
    const auto launch = [&](const auto& lanes) {
        return launch_chunks(*exec, given, *lists->theta, lanes, partials);
    };
    return on_device(*exec, message, [&] {
        cudaError_t error = cudaSuccess;
        if (change == AnchorChange::displace) {
            error = launch(AnchorLanes<AnchorChange::displace, Kind::f32, Kind::f32>{});
        } else if (change == AnchorChange::restore) {
            error = launch(AnchorLanes<AnchorChange::restore, Kind::f32, Kind::f32>{});
        } else {
            error = with_f32_or_half(*lists->fisher, [&](auto fisher) {
                return with_f32_or_block(*lists->anchor, [&](auto anchor) {
                    return launch(AnchorLanes<AnchorChange::merge, decltype(fisher)::value, decltype(anchor)::value>{});
                });
            });
        }
        if (error != cudaSuccess) {
            return error;
        }
        return launch_finish<1>(*exec, partials, device_chunks(*lists->theta), AnchorFinish{energy});
    });
}

} // namespace ewc::cuda
