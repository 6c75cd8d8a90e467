// Products with a large weight of few rows, without a copy of the weight.
//
// A general product packs both factors into panels first. Of a vocabulary's weight and a dozen rows that costs as much as
// the arithmetic and thrice the memory's traffic. Here the weight is read once as it lies, its gradient is written once, past
// the caches, and what is packed is as small as the rows.
//
// Bits: each result is made by a loop over its own row and column alone, whose order no tile and no thread changes.
#include "host_product_kernels.h"

#include "host_vectors.h"

namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE {
namespace {

template <int lanes>
EWC_FUNCTION float sum_of(VectorOf<lanes> vector) {
    if constexpr (lanes == 2) {
        return vector[0] + vector[1];
    } else {
        VectorOf<lanes / 2> halves[2];
        __builtin_memcpy(halves, &vector, sizeof(vector));
        return sum_of<lanes / 2>(halves[0] + halves[1]);
    }
}

// Asks for the part of the next rows of the weight that falls to the tile at `row` of `rows`: the memory would rest while the
// rows here are multiplied. Behind the last rows the addresses are nobody's, which a prefetch may be.
void fetch_ahead(const float* next, int64_t floats, int64_t row, int64_t height, int64_t rows) {
    constexpr int64_t kLine = 16;
    const int64_t lines = floats / kLine;
    for (int64_t line = lines * row / rows; line < lines * least(row + height, rows) / rows; ++line) {
        __builtin_prefetch(next + line * kLine);
    }
}

// Tile::run for all rows of a block and `columns` rows of its weight from `column` on.
template <typename Tile, int columns, typename Block>
void visit_rows(const Block& block, int64_t column) {
    const float* next = block.weight + (column + columns) * block.in;
    int64_t row = 0;
    for (; row + Tile::kRows <= block.rows; row += Tile::kRows) {
        fetch_ahead(next, columns * block.in, row, Tile::kRows, block.rows);
        Tile::template run<Tile::kRows, columns>(block, row, column);
    }
    for (; row < block.rows; ++row) {
        fetch_ahead(next, columns * block.in, row, 1, block.rows);
        Tile::template run<1, columns>(block, row, column);
    }
}

// Tile::run for a whole block, whose weight is passed through once.
template <typename Tile, typename Block>
void visit(const Block& block) {
    int64_t column = 0;
    for (; column + Tile::kColumns <= block.columns; column += Tile::kColumns) {
        visit_rows<Tile, Tile::kColumns>(block, column);
    }
    for (; column < block.columns; ++column) {
        visit_rows<Tile, 1>(block, column);
    }
}

template <int rows, int columns>
__attribute__((noinline)) void output_tile(const OutputBlock& block, int64_t row, int64_t column) {
    const int64_t in = block.in;
    const float* EWC_RESTRICT x = block.x + row * in;
    const float* EWC_RESTRICT weight = block.weight + column * in;
    Vector sums[rows][columns] = {};
    int64_t i = 0;
    for (; i + kLanes <= in; i += kLanes) {
        Vector of_weight[columns];
        EWC_UNROLL
        for (int c = 0; c < columns; ++c) {
            of_weight[c] = load(weight + c * in + i);
        }
        EWC_UNROLL
        for (int r = 0; r < rows; ++r) {
            const Vector of_x = load(x + r * in + i);
            EWC_UNROLL
            for (int c = 0; c < columns; ++c) {
                sums[r][c] += of_x * of_weight[c];
            }
        }
    }
    for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
            float sum = sum_of<kLanes>(sums[r][c]);
            for (int64_t k = i; k < in; ++k) {
                sum += x[r * in + k] * weight[c * in + k];
            }
            block.y[(row + r) * block.y_stride + column + c] = sum;
        }
    }
}

// y = x weight^T, by sums along `in`. With AVX2 12 of them, 3 vectors of the weight and one of x fill the registers.
struct OutputTile {
    static constexpr int kRows = 4, kColumns = 3;
    template <int rows, int columns>
    static void run(const OutputBlock& block, int64_t row, int64_t column) {
        output_tile<rows, columns>(block, row, column);
    }
};

void output(const OutputBlock& block) { visit<OutputTile>(block); }

// A panel is a tile's width of neighbouring columns, row after row; the last one's missing columns are zeros.
void pack_x(const float* x, int64_t rows, int64_t in, float* panels) {
    for (int64_t column = 0; column < in; column += kTileColumns) {
        const int64_t n = least(kTileColumns, in - column);
        for (int64_t r = 0; r < rows; ++r, panels += kTileColumns) {
            __builtin_memset(panels, 0, sizeof(float) * kTileColumns);
            __builtin_memcpy(panels, x + r * in + column, sizeof(float) * static_cast<size_t>(n));
        }
    }
}

// The block's part of the gradient, kTileRows columns at a time: for each row their elements, zeros behind the last.
void pack_columns(const GradientBlock& block, float* to) {
    for (int64_t column = 0; column < block.columns; column += kTileRows) {
        const int64_t n = least(kTileRows, block.columns - column);
        for (int64_t r = 0; r < block.rows; ++r, to += kTileRows) {
            const float* from = block.gradient + r * block.gradient_stride + column;
            for (int64_t c = 0; c < kTileRows; ++c) {
                to[c] = c < n ? from[c] : 0.0f;
            }
        }
    }
}

// Where a tile lies in a matrix, and how much of it: rows x columns, whole or at an edge.
struct Place {
    float* at;
    int64_t stride;
    int64_t rows;
    int64_t columns;

    bool whole() const { return rows == kTileRows && columns == kTileColumns; }
};

EWC_FUNCTION void read(Sums<kTileRows>& sums, const Place& place) {
    alignas(64) float tile[kTileRows * kTileColumns] = {};
    for (int64_t r = 0; r < place.rows; ++r) {
        __builtin_memcpy(tile + r * kTileColumns, place.at + r * place.stride,
                         sizeof(float) * static_cast<size_t>(place.columns));
    }
    __builtin_memcpy(&sums, tile, sizeof(sums));
}

EWC_FUNCTION void write(const Sums<kTileRows>& sums, const Place& place) {
    alignas(64) float tile[kTileRows * kTileColumns];
    __builtin_memcpy(tile, &sums, sizeof(sums));
    for (int64_t r = 0; r < place.rows; ++r) {
        __builtin_memcpy(place.at + r * place.stride, tile + r * kTileColumns,
                         sizeof(float) * static_cast<size_t>(place.columns));
    }
}

template <int rows, int columns>
__attribute__((noinline)) void add_to_x_gradient(const GradientBlock& block, int64_t row, int64_t column) {
    const int64_t in = block.in;
    const float* EWC_RESTRICT gradient = block.gradient + row * block.gradient_stride + column;
    const float* EWC_RESTRICT weight = block.weight + column * in;
    float* EWC_RESTRICT to = block.x_gradient + row * in;
    float factors[rows][columns];
    EWC_UNROLL
    for (int r = 0; r < rows; ++r) {
        EWC_UNROLL
        for (int c = 0; c < columns; ++c) {
            factors[r][c] = gradient[r * block.gradient_stride + c];
        }
    }
    int64_t i = 0;
    for (; i + kLanes <= in; i += kLanes) {
        EWC_UNROLL
        for (int r = 0; r < rows; ++r) {
            Vector sum = load(to + r * in + i);
            EWC_UNROLL
            for (int c = 0; c < columns; ++c) {
                sum += factors[r][c] * load(weight + c * in + i);
            }
            store(to + r * in + i, sum);
        }
    }
    for (; i < in; ++i) {
        for (int r = 0; r < rows; ++r) {
            for (int c = 0; c < columns; ++c) {
                to[r * in + i] += factors[r][c] * weight[c * in + i];
            }
        }
    }
}

// The gradient of x: += some elements of the gradient times some rows of the weight, which are read as they lie. With AVX2
// 8 elements, 4 vectors of the weight and 2 sums fill the registers.
struct XGradientTile {
    static constexpr int kRows = 2, kColumns = 4;
    template <int rows, int columns>
    static void run(const GradientBlock& block, int64_t row, int64_t column) {
        add_to_x_gradient<rows, columns>(block, row, column);
    }
};

// A tile of the weight's gradient, a sum over the rows.
__attribute__((noinline)) void weight_gradient_tile(const GradientBlock& block, const float* left, const float* right,
                                                    const Place& place, bool streams) {
    Sums<kTileRows> sums = {};
    if (block.add) {
        read(sums, place);
    }
    for (int64_t r = 0; r < block.rows; ++r) {
        add_position<kTileRows>(sums, left + r * kTileRows, right + r * kTileColumns);
    }
    if (!streams || !place.whole()) {
        write(sums, place);
        return;
    }
    EWC_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
        EWC_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            stream(place.at + r * place.stride + v * kLanes, sums[r][v]);
        }
    }
}

void weight_gradient(const GradientBlock& block, const float* left) {
    constexpr int64_t kLine = 64;
    const bool streams = !block.add && reinterpret_cast<uintptr_t>(block.weight_gradient) % kLine == 0 &&
                         block.in * static_cast<int64_t>(sizeof(float)) % kLine == 0;
    for (int64_t row = 0; row < block.columns; row += kTileRows) {
        for (int64_t column = 0; column < block.in; column += kTileColumns) {
            weight_gradient_tile(block, left + row * block.rows, block.x_panels + column * block.rows,
                                 {block.weight_gradient + row * block.in + column, block.in,
                                  least(kTileRows, block.columns - row), least(kTileColumns, block.in - column)},
                                 streams);
        }
    }
    if (streams) {
        finish_streams();
    }
}

void gradients(const GradientBlock& block) {
    visit<XGradientTile>(block);
    if (block.weight_gradient != nullptr) {
        pack_columns(block, block.panels);
        weight_gradient(block, block.panels);
    }
}

} // namespace

extern const ProductKernels product_kernels = {kTileColumns, pack_x, output, gradients};

} // namespace ewc::EWC_INSTRUCTION_SET_NAMESPACE
