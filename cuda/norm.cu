// The squared norm  sum g^2, or of the total gradient  sum (g + lambda F (theta - theta*))^2; nothing is written but the
// result.
//
// Bytes moved     4 an element, 16 for the total; less 2 for each 16-bit list.
// Launch shape    one block of 256 threads for each 16,384 elements, then one block that adds the chunks' sums. With one
//                 list only, a thread has four groups of four elements in flight (64 bytes), with four lists two (128).
// Determinism     as penalty.cu. Squares are in double, so that a norm beyond the range of f32 does not overflow.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o norm <program>
#include "adamw.h"
#include "functors.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind gradient_kind, Kind fisher_kind, Kind anchor_kind>
struct NormLanes {
    static constexpr bool kTotal = fisher_kind != Kind::none;
    static constexpr Kind kThetaKind = kTotal ? Kind::f32 : Kind::none;
    static constexpr int kSums = 1;
    static constexpr int kRounds = kTotal ? 2 : 4;

    const double* lambda; // null for the gradient alone
    float strength = 0.0f;

    template <int lanes>
    struct Registers {
        Pack<kThetaKind, lanes> theta;
        Pack<anchor_kind, lanes> anchor;
        Pack<fisher_kind, lanes> fisher;
        Pack<gradient_kind, lanes> gradient;
    };

    __device__ bool aligned(const Elements (&lists)[4]) const {
        return aligned_for_lanes<kThetaKind>(lists[0]) && aligned_for_lanes<anchor_kind>(lists[1]) &&
               aligned_for_lanes<fisher_kind>(lists[2]) && aligned_for_lanes<gradient_kind>(lists[3]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[4], int i) const {
        registers.theta.load_read_only(lists[0], i);
        registers.anchor.load_read_only(lists[1], i);
        registers.fisher.load_read_only(lists[2], i);
        registers.gradient.load_read_only(lists[3], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[4], int,
                                          double (&sum)[1]) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            float gradient = registers.gradient.get(lists[3], lane);
            if constexpr (kTotal) {
                gradient += strength * weighted_displacement(registers.theta.get(lists[0], lane),
                                                             registers.anchor.get(lists[1], lane),
                                                             registers.fisher.get(lists[2], lane));
            }
            sum[0] += square(gradient);
        }
    }

    __device__ void operator()(const DeviceChunk<4, 1>& chunk, double (&sum)[1]) const {
        NormLanes lanes = *this;
        if constexpr (kTotal) {
            lanes.strength = static_cast<float>(*lambda * chunk.extra[0]);
        }
        stream(lanes, chunk.given, chunk.n, sum);
    }
};

struct NormFinish {
    double* norm_squared;

    __device__ void operator()(const double (&sum)[1]) const { *norm_squared = sum[0]; }
};

} // namespace

ewc_status norm(const ewc_exec* exec, const PenaltyLists* lists, const double* lambda, double* norm_squared,
                void* workspace, ewc_cuda_message* message) {
    const ewc_list* const given[4] = {lists->theta, lists->anchor, lists->fisher, lists->gradient};
    double* partials = static_cast<double*>(workspace);
    const auto factor = [&](int64_t segment, int) { return segment_factor(lists->segment_lambda, segment); };
    const auto run = [&](const auto& lanes) {
        return launch_chunks<1>(*exec, given, *lists->gradient, lanes, partials, factor);
    };
    return on_device(*exec, message, [&] {
        const cudaError_t error = with_f32_or_half(*lists->gradient, [&](auto gradient) {
            constexpr Kind g = decltype(gradient)::value;
            if (lists->theta == nullptr) {
                return run(NormLanes<g, Kind::none, Kind::none>{nullptr});
            }
            return with_penalty(*lists->fisher, *lists->anchor, [&](auto fisher, auto anchor) {
                constexpr Kind f = decltype(fisher)::value;
                constexpr Kind a = decltype(anchor)::value;
                return run(NormLanes<g, f, a>{lambda});
            });
        });
        if (error != cudaSuccess) {
            return error;
        }
        return launch_finish<1>(*exec, partials, device_chunks(*lists->gradient), NormFinish{norm_squared});
    });
}

} // namespace ewc::cuda
