// The penalty  P = 1/2 sum F (theta* - theta)^2  and, where a gradient is given,  g += lambda F (theta - theta*).
//
// Bytes moved     12 an element for the value (theta, theta*, F read), 20 with the gradient; less 2 for each 16-bit list.
// Launch shape    one block of 256 threads for each 16,384 elements, then one block that adds the chunks' sums. A thread
//                 has two groups of four elements of three lists in flight (96 bytes), or with the gradient one of four
//                 lists (64) and fewer registers, so that more threads are there.
// Determinism     a thread sums its elements in order, a block its threads in one tree, the last block the chunks in
//                 order, all in double: fixed by the sizes alone. No atomics.
// lambda          is read on the device, so that a captured graph replays with another.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o penalty <program>
#include "adamw.h"
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind gradient_kind, Kind fisher_kind, Kind anchor_kind>
struct PenaltyLanes {
    static constexpr int kSums = 1;
    static constexpr int kRounds = gradient_kind == Kind::none ? 2 : 1;

    const double* lambda; // null without a gradient
    float strength = 0.0f;

    template <int lanes>
    struct Registers {
        Pack<Kind::f32, lanes> theta;
        Pack<anchor_kind, lanes> anchor;
        Pack<fisher_kind, lanes> fisher;
        Pack<gradient_kind, lanes> gradient;
    };

    __device__ bool aligned(const Elements (&lists)[4]) const {
        return aligned_for_lanes<Kind::f32>(lists[0]) && aligned_for_lanes<anchor_kind>(lists[1]) &&
               aligned_for_lanes<fisher_kind>(lists[2]) && aligned_for_lanes<gradient_kind>(lists[3]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[4], int i) const {
        registers.theta.load_read_only(lists[0], i);
        registers.anchor.load_read_only(lists[1], i);
        registers.fisher.load_read_only(lists[2], i);
        registers.gradient.load(lists[3], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[4], int i,
                                          double (&sum)[1]) const {
        float gradient[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            const float theta = registers.theta.get(lists[0], lane);
            const float anchor = registers.anchor.get(lists[1], lane);
            const float weighted = weighted_displacement(theta, anchor, registers.fisher.get(lists[2], lane));
            sum[0] += penalty_term(theta, anchor, weighted);
            gradient[lane] = registers.gradient.get(lists[3], lane) + strength * weighted;
        }
        if constexpr (gradient_kind != Kind::none) {
            store<gradient_kind>(lists[3], i, gradient);
        }
    }

    __device__ void operator()(const DeviceChunk<4, 1>& chunk, double (&sum)[1]) const {
        PenaltyLanes lanes = *this;
        if constexpr (gradient_kind != Kind::none) {
            lanes.strength = static_cast<float>(*lambda * chunk.extra[0]);
        }
        stream(lanes, chunk.given, chunk.n, sum);
        sum[0] *= chunk.extra[0];
    }
};

struct PenaltyFinish {
    double* penalty;

    __device__ void operator()(const double (&sum)[1]) const { *penalty = 0.5 * sum[0]; }
};

} // namespace

ewc_status penalty(const ewc_exec* exec, const PenaltyLists* lists, const double* lambda, double* penalty,
                   void* workspace, ewc_cuda_message* message) {
    const ewc_list* const given[4] = {lists->theta, lists->anchor, lists->fisher, lists->gradient};
    double* partials = static_cast<double*>(workspace);
    const auto factor = [&](int64_t segment, int) { return segment_factor(lists->segment_lambda, segment); };
    const auto run = [&](const auto& lanes) {
        return launch_chunks<1>(*exec, given, *lists->theta, lanes, partials, factor);
    };
    return on_device(*exec, message, [&] {
        const cudaError_t error = with_penalty(*lists->fisher, *lists->anchor, [&](auto fisher, auto anchor) {
            constexpr Kind f = decltype(fisher)::value;
            constexpr Kind a = decltype(anchor)::value;
            if (lists->gradient == nullptr) {
                return run(PenaltyLanes<Kind::none, f, a>{nullptr});
            }
            return with_f32_or_half(*lists->gradient, [&](auto gradient) {
                constexpr Kind g = decltype(gradient)::value;
                return run(PenaltyLanes<g, f, a>{lambda});
            });
        });
        if (error != cudaSuccess || penalty == nullptr) {
            return error;
        }
        return launch_finish<1>(*exec, partials, device_chunks(*lists->theta), PenaltyFinish{penalty});
    });
}

size_t sum_workspace(const ewc_list* list) { return static_cast<size_t>(device_chunks(*list)) * sizeof(double); }

} // namespace ewc::cuda
