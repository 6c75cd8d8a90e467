// The per-example Fisher of a linear layer:  F[r][c] += w sum_n (sum_{p in n} A[p][r] B[p][c])^2, the inner sum over the
// positions of example n; for a bias, F[r] += w sum_n (sum_p A[p][r])^2.
//
// Bytes moved     8 an element of F, read and written once a launch; A once for each 64 columns of F, B once for each 128
//                 rows, most of that from the second-level cache.
// Bound           2 rows columns positions flops in f32 multiply-adds, as the ordinary weight gradient without tensor
//                 cores, and 2 for each element of F and example. The layers of a language model have hundreds of
//                 positions, so this is bound by multiply-adds, not by memory, and cannot come near a product in tf32 or
//                 bf16 on tensor cores.
// Launch shape    one block of 256 threads owns a tile of 128 x 64 of F over all examples: a thread holds 8 x 4 running
//                 sums of the example and as many sums of squares in registers, so F is touched once; 8 positions of A and
//                 B at a time pass through 6 KiB of shared memory. At most 128 registers, so that two blocks share a
//                 multiprocessor and one multiplies while the other loads. A small kernel before it marks the positions
//                 whose row of A is zero; 448 examples a launch, as their offsets travel in the parameters.
// Determinism     each element of F is the work of one thread: positions, examples and launches in order. No atomics.
// To profile      ncu --set full --kernel-name regex:tile_kernel --launch-count 1 -o fisher_accumulate_linear <program>
//                 and read sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active.
#include "launch.cuh"
#include "verbs.cuh"

namespace ewc::cuda {
namespace {

constexpr int kExamples = 448;
constexpr int kTileRows = 128, kTileColumns = 64, kStep = 8; // kStep positions in shared memory
constexpr int kGroup = 4;                                    // neighbouring elements: one 128-bit access
constexpr int kThreadRows = 2 * kGroup;                      // two groups, half a tile apart: no bank is met twice
constexpr int kThreadsAcross = kTileColumns / kGroup;
constexpr int kWarp = 32;

// By value: positions offsets[n] to offsets[n + 1] - 1 belong to example n of this launch.
struct Examples {
    int64_t offsets[kExamples + 1];
    int count;
};

struct Factor {
    const void* data;
    int64_t columns;
    int64_t stride;
};

Factor factor_of(const ewc_matrix& matrix) { return {matrix.data, matrix.columns, matrix.stride}; }

template <Kind kind>
__device__ __forceinline__ float read(const Factor& factor, int64_t position, int64_t column) {
    const int64_t at = position * factor.stride + column;
    if constexpr (kind == Kind::f32) {
        return __ldg(static_cast<const float*>(factor.data) + at);
    } else {
        return bf16_to_f32(__ldg(static_cast<const uint16_t*>(factor.data) + at));
    }
}

// used[p - first] = whether position p has a row of A that is not zero. A warp a position.
template <Kind kind>
__global__ void __launch_bounds__(kThreads) mark_kernel(const Factor left, int64_t first, int64_t last, int32_t* used) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t index = static_cast<int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
    uint32_t bits = 0;
    if (first + index < last) {
        for (int64_t column = lane; column < left.columns; column += kWarp) {
            bits |= magnitude_bits(read<kind>(left, first + index, column));
        }
    }
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
        bits |= __shfl_xor_sync(0xffffffffu, bits, distance);
    }
    if (lane == 0 && first + index < last) {
        used[index] = bits != 0;
    }
}

// kStep positions of one factor, `width` elements of each; zeros beyond its columns and where the position is not used.
template <Kind kind, int width>
__device__ __forceinline__ void fetch(float (&tile)[kStep][width], const Factor& factor, int64_t column, int64_t position,
                                      int count, const int32_t* used) {
#pragma unroll
    for (int i = 0; i < kStep * width / kThreads; ++i) {
        const int element = i * kThreads + static_cast<int>(threadIdx.x);
        const int step = element / width, offset = element % width;
        const bool inside = step < count && column + offset < factor.columns && used[step] != 0;
        tile[step][offset] = inside ? read<kind>(factor, position + step, column + offset) : 0.0f;
    }
}

__device__ __forceinline__ void read_group(float* to, const float* from) {
    const float4 group = *reinterpret_cast<const float4*>(from);
    to[0] = group.x;
    to[1] = group.y;
    to[2] = group.z;
    to[3] = group.w;
}

template <Kind kind>
__global__ void __launch_bounds__(kThreads, 2)
    tile_kernel(const __grid_constant__ Examples examples, float* fisher, const Factor left, const Factor right,
                int64_t column_tiles, const int32_t* used, float weight) {
    __shared__ __align__(16) float rows[kStep][kTileRows];
    __shared__ __align__(16) float columns[kStep][kTileColumns];
    const int64_t first_row = blockIdx.x / column_tiles * kTileRows;
    const int64_t first_column = blockIdx.x % column_tiles * kTileColumns;
    const int row_at = static_cast<int>(threadIdx.x) / kThreadsAcross * kGroup;
    const int column_at = static_cast<int>(threadIdx.x) % kThreadsAcross * kGroup;
    float squares[kThreadRows][kGroup] = {};
    for (int n = 0; n < examples.count; ++n) {
        float sum[kThreadRows][kGroup] = {};
        const int64_t last = examples.offsets[n + 1];
        for (int64_t position = examples.offsets[n]; position < last; position += kStep) {
            const int count = static_cast<int>(last - position < kStep ? last - position : kStep);
            const int32_t* marks = used + (position - examples.offsets[0]);
            __syncthreads(); // nobody reads the positions before any more
            fetch<kind>(rows, left, first_row, position, count, marks);
            fetch<kind>(columns, right, first_column, position, count, marks);
            __syncthreads();
#pragma unroll 1 // 32 multiply-adds a round are enough between two branches, and short examples take no empty rounds
            for (int step = 0; step < count; ++step) {
                float a[kThreadRows], b[kGroup];
                read_group(a, &rows[step][row_at]);
                read_group(a + kGroup, &rows[step][row_at + kTileRows / 2]);
                read_group(b, &columns[step][column_at]);
#pragma unroll
                for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
                    for (int j = 0; j < kGroup; ++j) {
                        sum[i][j] += a[i] * b[j];
                    }
                }
            }
        }
#pragma unroll
        for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
            for (int j = 0; j < kGroup; ++j) {
                squares[i][j] += sum[i][j] * sum[i][j];
            }
        }
    }
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
        const int64_t row = first_row + row_at + (i < kGroup ? i : kTileRows / 2 + i - kGroup);
#pragma unroll
        for (int j = 0; j < kGroup; ++j) {
            const int64_t column = first_column + column_at + j;
            if (row < left.columns && column < right.columns) {
                fisher[row * right.columns + column] += weight * squares[i][j];
            }
        }
    }
}

// Against a column of ones: a thread an element of F. A row of zeros adds nothing, so none is marked.
template <Kind kind>
__global__ void __launch_bounds__(kThreads)
    column_kernel(const __grid_constant__ Examples examples, float* fisher, const Factor left, float weight) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (row >= left.columns) {
        return;
    }
    float squares = 0.0f;
    for (int n = 0; n < examples.count; ++n) {
        float sum = 0.0f;
        for (int64_t position = examples.offsets[n]; position < examples.offsets[n + 1]; ++position) {
            sum += read<kind>(left, position, row);
        }
        squares += sum * sum;
    }
    fisher[row] += weight * squares;
}

int64_t tiles_of(int64_t elements, int64_t tile) { return elements / tile + (elements % tile != 0); }

template <Kind kind>
cudaError_t mark(const ewc_exec& exec, const LinearFisher& linear, int32_t* used) {
    const int64_t first = linear.offsets[0], last = linear.offsets[linear.examples];
    return launch_kernel(mark_kernel<kind>, tiles_of(last - first, kThreads / kWarp), exec.stream,
                         factor_of(linear.left), first, last, used);
}

template <Kind kind>
cudaError_t accumulate(const ewc_exec& exec, const LinearFisher& linear, const Examples& examples, float weight,
                       const int32_t* used) {
    const Factor left = factor_of(linear.left);
    if (linear.right == nullptr) {
        return launch_kernel(column_kernel<kind>, tiles_of(linear.rows(), kThreads), exec.stream, examples,
                             linear.fisher, left, weight);
    }
    const int64_t across = tiles_of(linear.columns(), kTileColumns);
    const int32_t* marks = used + (examples.offsets[0] - linear.offsets[0]);
    return launch_kernel(tile_kernel<kind>, tiles_of(linear.rows(), kTileRows) * across, exec.stream, examples,
                         linear.fisher, left, factor_of(*linear.right), across, marks, weight);
}

template <Kind kind>
cudaError_t accumulate_all(const ewc_exec& exec, const LinearFisher& linear, float weight, int32_t* used) {
    if (linear.right != nullptr) {
        if (const cudaError_t error = mark<kind>(exec, linear, used); error != cudaSuccess) {
            return error;
        }
    }
    for (int64_t first = 0; first < linear.examples; first += kExamples) {
        Examples examples;
        examples.count = static_cast<int>(linear.examples - first < kExamples ? linear.examples - first : kExamples);
        for (int n = 0; n <= examples.count; ++n) {
            examples.offsets[n] = linear.offsets[first + n];
        }
        if (const cudaError_t error = accumulate<kind>(exec, linear, examples, weight, used); error != cudaSuccess) {
            return error;
        }
    }
    return cudaSuccess;
}

} // namespace

size_t linear_workspace(const LinearFisher* linear) {
    return linear->right == nullptr ? 0 : static_cast<size_t>(linear->positions()) * sizeof(int32_t);
}

ewc_status fisher_accumulate_linear(const ewc_exec* exec, const LinearFisher* linear, double weight, void* workspace,
                                    ewc_cuda_message* message) {
    if (linear->positions() == 0 || linear->rows() == 0 || linear->columns() == 0) {
        return EWC_OK;
    }
    int32_t* const used = static_cast<int32_t*>(workspace);
    return on_device(*exec, message, [&] {
        return linear->left.dtype == EWC_F32
                   ? accumulate_all<Kind::f32>(*exec, *linear, static_cast<float>(weight), used)
                   : accumulate_all<Kind::half>(*exec, *linear, static_cast<float>(weight), used);
    });
}

} // namespace ewc::cuda
