// Conversion:  destination = source, element by element, any dtype to any, rounded once to nearest even.
//
// Bytes moved     those of both lists: 8 an element from f32 to f32, 6 from or to 16 bit, 5 from or to 8.
// Launch shape    one block of 256 threads for each 16,384 elements, two groups of four elements in flight a thread. To
//                 levels with a step for each 256: a warp takes a block of 256, each thread 8 of them, 32 apart, as the
//                 step is not known before all were seen; this happens once a task, not once a step.
// Determinism     no sum; the largest magnitude of a block is the same in any order.
// To profile      ncu --set full --kernel-name regex:chunk_kernel --launch-count 1 -o convert <program>
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

template <Kind to_kind, Kind from_kind>
struct ConvertLanes {
    static constexpr int kSums = 0;
    static constexpr int kRounds = 2;

    template <int lanes>
    struct Registers {
        Pack<from_kind, lanes> from;
    };

    __device__ bool aligned(const Elements (&lists)[2]) const {
        return aligned_for_lanes<to_kind>(lists[0]) && aligned_for_lanes<from_kind>(lists[1]);
    }

    template <int lanes>
    __device__ __forceinline__ void load(Registers<lanes>& registers, const Elements (&lists)[2], int i) const {
        registers.from.load_read_only(lists[1], i);
    }

    template <int lanes>
    __device__ __forceinline__ void apply(const Registers<lanes>& registers, const Elements (&lists)[2], int i,
                                          double (&)[1]) const {
        float values[lanes];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
            values[lane] = registers.from.get(lists[1], lane);
        }
        store<to_kind>(lists[0], i, values);
    }

    __device__ void operator()(const DeviceChunk<2, 0>& chunk, double (&sum)[1]) const {
        stream(*this, chunk.given, chunk.n, sum);
    }
};

// To EWC_I16_BLOCK256 or EWC_U8_BLOCK256: Block is I16Block with Level uint16_t, or U8Block with uint8_t.
template <Kind from_kind, typename Block, typename Level>
struct QuantiseBlocks {
    static constexpr int kSums = 0;
    static constexpr int kEach = static_cast<int>(kBlock) / kWarp;

    __device__ void operator()(const DeviceChunk<2, 0>& chunk, double (&)[1]) const {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int first = static_cast<int>(threadIdx.x) / kWarp * static_cast<int>(kBlock); first < chunk.n;
             first += kThreads / kWarp * static_cast<int>(kBlock)) {
            block(chunk, first, lane);
        }
    }

private:
    __device__ __forceinline__ void block(const DeviceChunk<2, 0>& chunk, int first, int lane) const {
        float values[kEach];
        uint32_t largest = 0;
#pragma unroll
        for (int k = 0; k < kEach; ++k) {
            const int i = first + k * kWarp + lane;
            values[k] = 0.0f;
            if (i < chunk.n) {
                Pack<from_kind, 1> one;
                one.load_read_only(chunk.given[1], i);
                values[k] = one.get(chunk.given[1], 0);
            }
            const uint32_t magnitude = magnitude_bits(values[k]);
            largest = magnitude > largest ? magnitude : largest;
        }
#pragma unroll
        for (int distance = kWarp / 2; distance > 0; distance /= 2) {
            const uint32_t other = __shfl_xor_sync(0xffffffffu, largest, distance);
            largest = other > largest ? other : largest;
        }
        const Block quantised(largest);
#pragma unroll
        for (int k = 0; k < kEach; ++k) {
            const int i = first + k * kWarp + lane;
            if (i < chunk.n) {
                static_cast<Level*>(chunk.given[0].data)[i] = quantised.level(values[k]);
            }
        }
        if (lane == 0) {
            chunk.given[0].steps[first / kBlock] = quantised.step;
        }
    }
};

template <typename Body>
cudaError_t with_any(const ewc_list& list, Body&& body) {
    return list.dtype == EWC_U8_BLOCK256 ? body(KindConstant<Kind::byte>{}) : with_f32_or_block(list, body);
}

} // namespace

ewc_status convert(const ewc_exec* exec, const ewc_list* destination, const ewc_list* source,
                   ewc_cuda_message* message) {
    const ewc_list* const lists[2] = {destination, source};
    return on_device(*exec, message, [&] {
        return with_any(*source, [&](auto from) {
            constexpr Kind from_kind = decltype(from)::value;
            if (destination->dtype == EWC_I16_BLOCK256) {
                return launch_chunks(*exec, lists, *destination, QuantiseBlocks<from_kind, I16Block, uint16_t>{});
            }
            if (destination->dtype == EWC_U8_BLOCK256) {
                return launch_chunks(*exec, lists, *destination, QuantiseBlocks<from_kind, U8Block, uint8_t>{});
            }
            return with_f32_or_half(*destination, [&](auto to) {
                return launch_chunks(*exec, lists, *destination, ConvertLanes<decltype(to)::value, from_kind>{});
            });
        });
    });
}

} // namespace ewc::cuda
