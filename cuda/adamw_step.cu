// One AdamW step with the EWC penalty folded in (ewc.h has the formulas):
//   g' = s g + p lambda F (theta - theta*);   theta, m, v stepped by g';   1/2 sum F (theta* - theta)^2, sum g^2 and
//   sum (F (theta - theta*))^2 summed on the way, at theta before the step; or, with EWC_PROXIMAL, theta, m, v stepped
//   by s g alone and theta then pulled towards theta*: one division an element more, and no byte.
//
// Bytes moved     36 an element: theta, m, v read and written, g, F, theta* read; 28 without F and theta*. 4 more to zero
//                 g, 2 more for a 16-bit copy of theta, 2 less for each list in 16 bit.
// Launch shape    one thread makes the coefficients of the step; one block of 256 threads for each 16,384 elements; one
//                 block adds the chunks' sums. The first and the last take a few microseconds, the middle one all the
//                 rest. A thread has one group of four elements of six lists in flight, 96 bytes, in 48 to 74 registers:
//                 768 threads or more on a multiprocessor, 72 KiB, above the 40 KiB or so that latency times bandwidth
//                 asks for on an H100.
// Determinism     as penalty.cu: the order of each sum is fixed by the sizes alone. No atomics.
// Pointers        step count, learning rate, lambda and scales are read on the device, so that a captured graph replays. A
//                 step count of 0 skips the stores of the update.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o adamw_step <program>
//                 and read dram__throughput.avg.pct_of_peak_sustained_elapsed (want > 90 %).
#include "adamw.h"
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

enum List { kTheta, kFirstMoment, kSecondMoment, kGradient, kFisher, kAnchor, kThetaCopy, kLists };
enum Extra { kLearningRateFactor, kWeightDecay, kLambdaFactor, kExtras };
enum Sum { kPenaltyTerms, kGradientSquares, kWeightedSquares, kStepSums };

// What of the workspace lies before the chunks' partial sums.
struct StepWorkspace {
    AdamWStep step;
};

template <Kind gradient_kind, Kind fisher_kind, Kind anchor_kind>
struct AdamWLanes {
    static constexpr bool kPenalty = fisher_kind != Kind::none;
    static constexpr int kSums = kStepSums;
    static constexpr int kRounds = 1;

    const StepWorkspace* workspace;
    AdamWMode mode;
    bool copy;
    const AdamW* segment; // the coefficients, in shared memory: nine registers less

    template <int lanes>
    struct Registers {
        Pack<Kind::f32, lanes> theta, first_moment, second_moment;
        Pack<gradient_kind, lanes> gradient;
        Pack<fisher_kind, lanes> fisher;
        Pack<anchor_kind, lanes> anchor;
    };

    __device__ bool aligned(const Elements (&lists)[kLists]) const {
        return aligned_for_lanes<Kind::f32>(lists[kTheta]) && aligned_for_lanes<Kind::f32>(lists[kFirstMoment]) &&
               aligned_for_lanes<Kind::f32>(lists[kSecondMoment]) &&
               aligned_for_lanes<gradient_kind>(lists[kGradient]) && aligned_for_lanes<fisher_kind>(lists[kFisher]) &&
               aligned_for_lanes<anchor_kind>(lists[kAnchor]) && aligned_for_lanes<Kind::half>(lists[kThetaCopy]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[kLists], int i) const {
        registers.theta.load(lists[kTheta], i);
        registers.first_moment.load(lists[kFirstMoment], i);
        registers.second_moment.load(lists[kSecondMoment], i);
        registers.gradient.load(lists[kGradient], i);
        registers.fisher.load_read_only(lists[kFisher], i);
        registers.anchor.load_read_only(lists[kAnchor], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[kLists], int i,
                                          double (&sum)[kStepSums]) const {
        const AdamW& adamw = *segment;
        float theta[lanes], first_moment[lanes], second_moment[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            theta[lane] = registers.theta.get(lists[kTheta], lane);
            first_moment[lane] = registers.first_moment.get(lists[kFirstMoment], lane);
            second_moment[lane] = registers.second_moment.get(lists[kSecondMoment], lane);
            const float gradient = registers.gradient.get(lists[kGradient], lane);
            sum[kGradientSquares] += square(gradient);
            float scaled = adamw.scaled(gradient);
            float anchor = 0.0f, fisher = 0.0f;
            if constexpr (kPenalty) {
                anchor = registers.anchor.get(lists[kAnchor], lane);
                fisher = registers.fisher.get(lists[kFisher], lane);
                const float weighted = weighted_displacement(theta[lane], anchor, fisher);
                sum[kPenaltyTerms] += penalty_term(theta[lane], anchor, weighted);
                sum[kWeightedSquares] += square(weighted);
                if (!mode.proximal) { // the same for all threads, here and below
                    scaled = adamw.scaled(gradient, weighted);
                }
            }
            const float denominator = adamw(theta[lane], first_moment[lane], second_moment[lane], scaled);
            if (kPenalty && mode.proximal) {
                theta[lane] = adamw.pulled(theta[lane], anchor, fisher, denominator);
            }
        }
        if (!adamw.skipped) { // these are the same for all threads, so they cost no divergence
            store<Kind::f32>(lists[kTheta], i, theta);
            store<Kind::f32>(lists[kFirstMoment], i, first_moment);
            store<Kind::f32>(lists[kSecondMoment], i, second_moment);
            if (copy) {
                store<Kind::half>(lists[kThetaCopy], i, theta);
            }
        }
        if (mode.zero_gradient) {
            clear<gradient_kind, lanes>(lists[kGradient], i);
        }
    }

    __device__ void operator()(const DeviceChunk<kLists, kExtras>& chunk, double (&sum)[kStepSums]) const {
        __shared__ AdamW coefficients; // in double and with divisions, so one thread makes it for all
        if (threadIdx.x == 0) {
            coefficients = adamw_of_segment(workspace->step, {chunk.extra[kLearningRateFactor],
                                                              chunk.extra[kWeightDecay], chunk.extra[kLambdaFactor]});
        }
        __syncthreads();
        AdamWLanes lanes = *this;
        lanes.segment = &coefficients;
        stream(lanes, chunk.given, chunk.n, sum);
        const double factor = chunk.extra[kLambdaFactor];
        sum[kPenaltyTerms] *= factor;
        sum[kWeightedSquares] *= factor * factor;
    }
};

// The powers of the bias correction, once a step.
__global__ void prepare_kernel(StepWorkspace* workspace, double beta1, double beta2, double epsilon,
                               const ewc_adamw_values* values) {
    if (threadIdx.x == 0) {
        workspace->step = make_adamw_step(beta1, beta2, epsilon, *values);
    }
}

struct StatisticsFinish {
    ewc_adamw_statistics* statistics;

    __device__ void operator()(const double (&sum)[kStepSums]) const {
        statistics->penalty = 0.5 * sum[kPenaltyTerms];
        statistics->gradient_norm_squared = sum[kGradientSquares];
        statistics->displacement_norm_squared = sum[kWeightedSquares];
    }
};

} // namespace

size_t adamw_workspace(const ewc_list* list) {
    return sizeof(StepWorkspace) + static_cast<size_t>(device_chunks(*list)) * kStepSums * sizeof(double);
}

ewc_status adamw_step(const ewc_exec* exec, const AdamWLists* lists, const ewc_adamw_options* options,
                      const ewc_adamw_values* values, AdamWMode mode, ewc_adamw_statistics* statistics,
                      void* workspace, ewc_cuda_message* message) {
    const ewc_list* const given[kLists] = {lists->theta,  lists->first_moment, lists->second_moment, lists->gradient,
                                           lists->fisher, lists->anchor,       lists->theta_copy};
    StepWorkspace* const step = static_cast<StepWorkspace*>(workspace);
    double* const partials = reinterpret_cast<double*>(step + 1);
    const bool copy = lists->theta_copy != nullptr;
    const auto extra = [&](int64_t index, int which) {
        const SegmentOptions segment = segment_options(*options, index);
        return which == kLearningRateFactor ? segment.learning_rate
               : which == kWeightDecay      ? segment.weight_decay
                                            : segment.lambda;
    };
    const auto run = [&](const auto& lanes) {
        return launch_chunks<kExtras>(*exec, given, *lists->theta, lanes, partials, extra);
    };
    return on_device(*exec, message, [&] {
        cudaError_t error = launch_kernel(prepare_kernel, 1, exec->stream, step, options->beta1, options->beta2,
                                          options->epsilon, values);
        if (error != cudaSuccess) {
            return error;
        }
        error = with_f32_or_half(*lists->gradient, [&](auto gradient) {
            constexpr Kind g = decltype(gradient)::value;
            if (lists->fisher == nullptr) {
                return run(AdamWLanes<g, Kind::none, Kind::none>{step, mode, copy, nullptr});
            }
            return with_penalty(*lists->fisher, *lists->anchor, [&](auto fisher, auto anchor) {
                return run(AdamWLanes<g, decltype(fisher)::value, decltype(anchor)::value>{step, mode, copy, nullptr});
            });
        });
        if (error != cudaSuccess || statistics == nullptr) {
            return error;
        }
        return launch_finish<kStepSums>(*exec, partials, device_chunks(*lists->theta),
                                        StatisticsFinish{statistics});
    });
}

} // namespace ewc::cuda
