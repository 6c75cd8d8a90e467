// ewc_fisher_accumulate_linear on the host, one block of F at a time.
//
// A tile of F is a product over the positions of a group of examples in which the running sums are squared and start anew at
// the end of each example. The running sums stay in registers; the sums of squares take one multiply-add an example and
// element beside its positions' and stay in the first-level cache; F is read and written once for each group.
//
// Cache: the right panel of a group, 16 KiB, stays in the first-level cache while the left panels of a block pass by,
// 96 rows of F and 96 KiB a group, from the second-level cache; there, too, is the part of F that the groups update in
// turn. Bits: an element of F is made of its own row and column alone, in the order of positions and groups, so no size
// of block and no thread changes them.
#include "host_linear_kernels.h"

#include "host_tiles.h"
#include "host_vectors.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

constexpr int64_t kShort = 8;            // positions of an example, on average, below which a tile is cut in two
constexpr int64_t kChunkColumns = 512; // of F, in the second-level cache while the groups go by

constexpr int64_t kAhead = 8; // positions

// fisher[r * stride + c] += weight * sum over examples of (sum over positions of left * right)^2, for `rows` rows of a tile.
template <int rows>
__attribute__((noinline)) void accumulate_tile(const float* EWC_RESTRICT left, const float* EWC_RESTRICT right,
                                               const int64_t* lengths, int64_t examples, float weight,
                                               float* EWC_RESTRICT fisher, int64_t stride) {
    EWC_UNROLL
    for (int r = 0; r < rows; ++r) {
        __builtin_prefetch(fisher + r * stride, 1);
    }
    Sums<rows> squares = {};
    for (int64_t n = 0; n < examples; ++n) {
        Sums<rows> sums = {};
        int64_t positions = lengths[n];
        // By fours: the processor then foresees where an example of some dozens of positions ends.
        for (; positions >= 4; positions -= 4) {
            EWC_UNROLL
            for (int p = 0; p < 4; ++p) {
                add_position<rows>(sums, left + p * kTileRows, right + p * kTileColumns);
            }
            left += 4 * kTileRows;
            right += 4 * kTileColumns;
        }
        for (; positions > 0; --positions) {
            add_position<rows>(sums, left, right);
            left += kTileRows;
            right += kTileColumns;
        }
        EWC_UNROLL
        for (int r = 0; r < rows; ++r) {
            EWC_UNROLL
            for (int v = 0; v < kVectors; ++v) {
                squares[r][v] += sums[r][v] * sums[r][v];
            }
        }
    }
    EWC_UNROLL
    for (int r = 0; r < rows; ++r) {
        EWC_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            float* const at = fisher + r * stride + v * kLanes;
            store(at, load(at) + weight * squares[r][v]);
        }
    }
}

// A whole tile; of short examples in two halves, whose squares, too, fit the registers.
void accumulate_tile(const float* left, const float* right, const int64_t* lengths, const LinearGroup& group,
                     float weight, float* fisher, int64_t stride) {
    if (group.positions >= kShort * group.examples) {
        accumulate_tile<kTileRows>(left, right, lengths, group.examples, weight, fisher, stride);
        return;
    }
    constexpr int kHalf = kTileRows / 2;
    accumulate_tile<kHalf>(left, right, lengths, group.examples, weight, fisher, stride);
    accumulate_tile<kHalf>(left + kHalf, right, lengths, group.examples, weight, fisher + kHalf * stride, stride);
}

// A tile at the edge of F, by way of a whole one.
void accumulate_edge(const float* left, const float* right, const int64_t* lengths, const LinearGroup& group,
                     float weight, float* fisher, int64_t stride, int64_t rows, int64_t columns) {
    alignas(64) float whole[kTileRows * kTileColumns] = {};
    for (int64_t r = 0; r < rows; ++r) {
        __builtin_memcpy(whole + r * kTileColumns, fisher + r * stride, static_cast<size_t>(columns) * sizeof(float));
    }
    accumulate_tile(left, right, lengths, group, weight, whole, kTileColumns);
    for (int64_t r = 0; r < rows; ++r) {
        __builtin_memcpy(fisher + r * stride, whole + r * kTileColumns, static_cast<size_t>(columns) * sizeof(float));
    }
}

// Asks for the part of the next right panel that falls to the tile at `row` of `rows`, to the second-level cache: it comes
// from the third, too late if its first tile had to ask. Behind the last panel the addresses are nobody's, which a
// prefetch may be.
void fetch_ahead(const float* panel, int64_t floats, int64_t row, int64_t rows) {
    constexpr int64_t kLine = 16;
    const int64_t lines = floats / kLine;
    for (int64_t line = lines * row / rows; line < lines * (row + kTileRows) / rows; ++line) {
        __builtin_prefetch(panel + line * kLine, 0, 2);
    }
}

// One group over the columns first to last - 1 of a block.
void accumulate_group(const LinearBlock& block, const LinearGroup& group, int64_t first, int64_t last) {
    const int64_t* lengths = block.lengths + group.example;
    for (int64_t column = first; column < last; column += kTileColumns) {
        const float* right =
            block.right + column / kTileColumns * block.right_panel + group.position * kTileColumns;
        const int64_t columns = least(kTileColumns, last - column);
        for (int64_t row = 0; row < block.rows; row += kTileRows) {
            const float* left = block.left + row / kTileRows * block.left_panel + group.position * kTileRows;
            const int64_t rows = least(kTileRows, block.rows - row);
            float* fisher = block.fisher + row * block.stride + column;
            fetch_ahead(right + block.right_panel, group.positions * kTileColumns, row, block.rows);
            if (rows == kTileRows && columns == kTileColumns) {
                accumulate_tile(left, right, lengths, group, block.weight, fisher, block.stride);
            } else {
                accumulate_edge(left, right, lengths, group, block.weight, fisher, block.stride, rows, columns);
            }
        }
    }
}

void accumulate(const LinearBlock& block) {
    for (int64_t first = 0; first < block.columns; first += kChunkColumns) {
        const int64_t last = least(first + kChunkColumns, block.columns);
        for (int64_t g = 0; g < block.group_count; ++g) {
            accumulate_group(block, block.groups[g], first, last);
        }
    }
}

template <int width>
EWC_FUNCTION void copy_as_f32(float* EWC_RESTRICT to, const float* EWC_RESTRICT from) {
    __builtin_memcpy(to, from, sizeof(float) * width);
}

template <int width>
EWC_FUNCTION void copy_as_f32(float* EWC_RESTRICT to, const uint16_t* EWC_RESTRICT from) {
    EWC_UNROLL
    for (int i = 0; i < width; ++i) {
        to[i] = bf16_to_f32(from[i]);
    }
}

// Position by position, so that the factor is read as it lies; the panels are of a length that keeps the many places that
// are written at a time in different sets of the cache.
//
// The row to come is asked for ahead: a block takes a few hundred bytes of each, and rows are far apart.
template <int width, typename Element>
void pack_elements(const LinearPacking& packing) {
    const Element* data = static_cast<const Element*>(packing.factor->data) + packing.first;
    for (int64_t k = packing.begin; k < packing.end; ++k) {
        const Element* EWC_RESTRICT from = data + packing.positions[k] * packing.factor->stride;
        float* EWC_RESTRICT to = packing.packed + k * width;
        const Element* ahead = data + packing.positions[least(k + kAhead, packing.end - 1)] * packing.factor->stride;
        int64_t column = 0;
        for (; column + width <= packing.columns; column += width, to += packing.panel) {
            __builtin_prefetch(ahead + column);
            copy_as_f32<width>(to, from + column);
        }
        if (column < packing.columns) {
            __builtin_memset(to, 0, sizeof(float) * width);
            for (int64_t i = column; i < packing.columns; ++i) {
                copy_as_f32<1>(to + (i - column), from + i);
            }
        }
    }
}

template <int width>
void pack(const LinearPacking& packing) {
    if (packing.factor->dtype == EWC_F32) {
        pack_elements<width, float>(packing);
    } else {
        pack_elements<width, uint16_t>(packing);
    }
}

bool is_zero(const ewc_matrix& matrix, int64_t row) {
    const auto* bytes = static_cast<const char*>(matrix.data) + row * matrix.stride * element_bytes(matrix.dtype);
    const int64_t words = matrix.dtype == EWC_F32 ? matrix.columns : matrix.columns / 2;
    const uint32_t magnitude = matrix.dtype == EWC_F32 ? 0x7fffffffu : 0x7fff7fffu;
    constexpr int64_t kAtOnce = 64; // between two looks: most rows are not zero, and that shows at once
    for (int64_t first = 0; first < words; first += kAtOnce) {
        uint32_t any = 0;
        for (int64_t i = first; i < least(first + kAtOnce, words); ++i) {
            uint32_t word;
            __builtin_memcpy(&word, bytes + 4 * i, sizeof(word));
            any |= word & magnitude;
        }
        if (any != 0) {
            return false;
        }
    }
    if (matrix.dtype == EWC_F32 || matrix.columns % 2 == 0) {
        return true;
    }
    uint16_t last;
    __builtin_memcpy(&last, bytes + 4 * words, sizeof(last));
    return (last & 0x7fffu) == 0;
}

// n elements of a row, as f32.
void widen(const ewc_matrix& matrix, int64_t row, int64_t first, int64_t n, float* EWC_RESTRICT to) {
    const int64_t at = row * matrix.stride + first;
    if (matrix.dtype == EWC_F32) {
        __builtin_memcpy(to, static_cast<const float*>(matrix.data) + at, static_cast<size_t>(n) * sizeof(float));
    } else {
        widen_bf16(n, to, static_cast<const uint16_t*>(matrix.data) + at);
    }
}

void add(int64_t n, float* EWC_RESTRICT sums, const float* EWC_RESTRICT values) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        sums[i] += values[i];
    }
}

void add_squares(float weight, int64_t n, float* EWC_RESTRICT squares, const float* EWC_RESTRICT sums) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        squares[i] += weight * (sums[i] * sums[i]);
    }
}

void accumulate_bias(const LinearBias& bias) {
    float values[kTile], sums[kTile];
    for (int64_t first = 0; first < bias.columns; first += kTile) {
        const int64_t n = least(kTile, bias.columns - first);
        for (int64_t example = 0; example < bias.examples; ++example) {
            __builtin_memset(sums, 0, static_cast<size_t>(n) * sizeof(float));
            for (int64_t p = bias.offsets[example]; p < bias.offsets[example + 1]; ++p) {
                widen(*bias.left, p, bias.first + first, n, values);
                add(n, sums, values);
            }
            add_squares(bias.weight, n, bias.fisher + bias.first + first, sums);
        }
    }
}

} // namespace

extern const LinearKernels linear_kernels = {kTileRows,          kTileColumns, is_zero,        pack<kTileRows>,
                                             pack<kTileColumns>, accumulate,   accumulate_bias};

} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
