// Cross entropy of rows of logits:  sum over rows of log(sum_c exp(z_c)) - z_target,  and in place of the logits its
// gradient  s (softmax(z) - onehot(target)).
//
// Bytes moved     f32: 4 an element for the value, 8 with the gradient; half in 16 bit. With the gradient a row is read a
//                 second time, from the second-level cache: the rows in flight, two a multiprocessor, are 53 MB in f32 at
//                 a vocabulary of 50,304 and 132 multiprocessors, about what an H100's 50 MB hold; in 16 bit half.
// Launch shape    one block of 512 threads a row, then one block that adds the rows' losses. Rows are long and often fewer
//                 than would fill the device with small blocks; two blocks on a multiprocessor let one read while the
//                 other waits at its reduction. A thread has four groups of four elements in flight, 64 bytes: 32 KiB a
//                 block, 64 KiB a multiprocessor, above the 40 KiB or so that latency times bandwidth asks for on an
//                 H100. Rows of an odd vocabulary (50,257) begin at any address, so up to three elements before the first
//                 multiple of four lanes, and up to three behind the last, are taken one by one.
// Largest         is found on the way: a thread keeps its largest logit and the sum of exponentials relative to it, and
//                 rescales the sum when a group of four has a larger one (Milakov and Gimelshein 2018, "Online normalizer
//                 calculation for softmax"), so that the value takes one reading of the row.
// Determinism     a thread adds its elements in order, a block its threads in one tree, the last block the rows in order:
//                 fixed by the sizes and by where, modulo 16 bytes, a row begins. Four exponentials are added in f32, all
//                 else in double. No atomics.
// Pointers        targets, scale and the loss before are read on the device, so that a captured graph replays. A target
//                 beyond the columns makes its row's loss and gradient NaN.
// To profile      ncu --set full --kernel-name regex:cross_entropy_kernel --launch-count 1 -o cross_entropy <program>
//                 and read dram__throughput.avg.pct_of_peak_sustained_elapsed (want > 90 %) and lts__t_sector_hit_rate.
#include "launch.cuh"
#include "softmax.h"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

constexpr int kRowThreads = 512;
constexpr int kInFlight = 4; // groups of kLanes elements a thread

__device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; } // b where a is NaN

// The largest logit that a thread has met, and the sum of the exponentials relative to it.
struct RunningSum {
    float largest = -float_of(kInfinityBits);
    double sum = 0.0;

    template <int lanes>
    __device__ __forceinline__ void add(const float (&logits)[lanes]) {
        float group = logits[0];
#pragma unroll
        for (int lane = 1; lane < lanes; ++lane) {
            group = larger(logits[lane], group);
        }
        const float reference = larger(group, largest);
        sum *= static_cast<double>(relative(largest, reference));
        float added = 0.0f;
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            added += relative(logits[lane], reference);
        }
        sum += static_cast<double>(added);
        largest = reference;
    }

    // e^(logit - reference), without the NaN of -Inf less -Inf: a row may begin with many.
    __device__ __forceinline__ static float relative(float logit, float reference) {
        const bool nothing = bits_of(reference) == (kInfinityBits | 0x80000000u);
        return exponential(logit - (nothing ? 0.0f : reference));
    }
};

// Calls visit(pack, i) for every element of a row, four at a time where the address allows it, loads ahead of their use.
template <Kind kind, typename Visit>
__device__ __forceinline__ void walk_row(const Elements& row, int n, Visit& visit) {
    constexpr unsigned kAlignment = kind == Kind::f32 ? 16 : 8;
    constexpr unsigned kBytes = kAlignment / kLanes;
    const unsigned beyond = static_cast<unsigned>(reinterpret_cast<uintptr_t>(row.data)) % kAlignment;
    const int before = static_cast<int>((kAlignment - beyond) % kAlignment / kBytes);
    const int head = before < n ? before : n;
    const int groups = (n - head) / kLanes;
    constexpr int kRound = kRowThreads * kInFlight;
    const int full = groups - groups % kRound;
#pragma unroll 1
    for (int group = static_cast<int>(threadIdx.x); group < full; group += kRound) {
        Pack<kind, kLanes> packs[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) {
            packs[k].load(row, head + (group + k * kRowThreads) * kLanes);
        }
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) {
            visit(packs[k], head + (group + k * kRowThreads) * kLanes);
        }
    }
#pragma unroll 1
    for (int group = full + static_cast<int>(threadIdx.x); group < groups; group += kRowThreads) {
        Pack<kind, kLanes> pack;
        pack.load(row, head + group * kLanes);
        visit(pack, head + group * kLanes);
    }
    const int behind = head + groups * kLanes;
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < head || thread - head < n - behind) { // behind + thread may be beyond int
        const int single = thread < head ? thread : behind + (thread - head);
        Pack<kind, 1> pack;
        pack.load(row, single);
        visit(pack, single);
    }
}

template <Kind kind>
struct AddLogits {
    const Elements& row;
    RunningSum& running;

    template <int lanes>
    __device__ __forceinline__ void operator()(const Pack<kind, lanes>& pack, int) {
        float logits[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            logits[lane] = pack.get(row, lane);
        }
        running.add(logits);
    }
};

// What thread 0 makes of the row's sum for all.
struct RowGradient {
    float factor; // scale / sum
    float at_target;
};

template <Kind kind>
struct StoreGradient {
    const Elements& row;
    const RowGradient gradient;
    const float largest;
    const int target;

    template <int lanes>
    __device__ __forceinline__ void operator()(const Pack<kind, lanes>& pack, int i) {
        float values[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            const float softmax = gradient.factor * exponential(pack.get(row, lane) - largest);
            values[lane] = i + lane == target ? gradient.at_target : softmax;
        }
        store<kind>(row, i, values);
    }
};

template <Kind kind>
__global__ void __launch_bounds__(kRowThreads) cross_entropy_kernel(const CrossEntropy matrix, double* losses) {
    __shared__ RowGradient shared;
    const Elements row = matrix.row(blockIdx.x);
    const int columns = static_cast<int>(matrix.columns);
    RunningSum running;
    AddLogits<kind> add{row, running};
    walk_row<kind>(row, columns, add);
    const float largest = block_largest<kRowThreads>(running.largest);
    double sum[1] = {running.sum * static_cast<double>(RunningSum::relative(running.largest, largest))};
    block_sum<kRowThreads>(sum);
    const int64_t target = matrix.targets[blockIdx.x];
    if (threadIdx.x == 0) {
        float logit = float_of(kNanBits);
        if (target >= 0 && target < matrix.columns) {
            Pack<kind, 1> pack;
            pack.load(row, static_cast<int>(target));
            logit = pack.get(row, 0);
        }
        losses[blockIdx.x] = log(sum[0]) + (static_cast<double>(largest) - static_cast<double>(logit));
        if (matrix.scale != nullptr) {
            // At the target the difference is taken in double: the more certain the model, the more digits it would lose.
            const double softmax = static_cast<double>(exponential(logit - largest)) / sum[0];
            shared.at_target = static_cast<float>(*matrix.scale * (softmax - 1.0));
            const bool known = target >= 0 && target < matrix.columns;
            shared.factor = known ? static_cast<float>(*matrix.scale / sum[0]) : float_of(kNanBits);
        }
    }
    if (matrix.scale != nullptr) {
        __syncthreads();
        StoreGradient<kind> store_gradient{row, shared, largest, static_cast<int>(target)};
        walk_row<kind>(row, columns, store_gradient);
    }
}

struct CrossEntropyFinish {
    double* loss;
    bool add;

    __device__ void operator()(const double (&sum)[1]) const { *loss = add ? *loss + sum[0] : sum[0]; }
};

} // namespace

ewc_status cross_entropy(const ewc_exec* exec, const CrossEntropy* matrix, double* loss, void* workspace,
                         ewc_cuda_message* message) {
    double* losses = static_cast<double*>(workspace);
    return on_device(*exec, message, [&] {
        if (matrix->rows > 0) {
            const cudaError_t error = with_f32_or_half(matrix->dtype, [&](auto kind) {
                return launch_kernel<kRowThreads>(cross_entropy_kernel<decltype(kind)::value>, matrix->rows,
                                                  exec->stream, *matrix, losses);
            });
            if (error != cudaSuccess) {
                return error;
            }
        }
        return launch_finish<1>(*exec, losses, matrix->rows, CrossEntropyFinish{loss, matrix->add_loss});
    });
}

} // namespace ewc::cuda
