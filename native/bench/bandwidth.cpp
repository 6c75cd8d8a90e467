// How close each host verb comes to the machine's memory bandwidth:  ewc_bench [elements] [threads] [repeats]
// Prints the median, and the bandwidth by the bytes that ewc.h states, beside a copy of the same size; of those that
// multiply, the operations a second or the time. 0 elements: those alone.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include <omp.h>

#include "ewc/ewc.h"

namespace {

void require(ewc_status status) {
    if (status != EWC_OK) {
        std::fprintf(stderr, "%s\n", ewc_last_error());
        std::exit(1);
    }
}

double seconds_of(const std::function<void()>& verb) {
    const auto start = std::chrono::steady_clock::now();
    verb();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// A copy is timed before each run of the verb, so that both meet the same neighbours on a machine that is shared; the
// share is the median of the ratios.
struct Measurement {
    int repeats;
    double copy_bytes;
    std::function<void()> copy;

    void operator()(const char* name, double bytes, const std::function<void()>& verb) const {
        std::vector<double> seconds, shares;
        for (int i = 0; i < repeats + 2; ++i) {
            const double copied = seconds_of(copy);
            const double taken = seconds_of(verb);
            if (i >= 2) {
                seconds.push_back(taken);
                shares.push_back(bytes / taken / (copy_bytes / copied));
            }
        }
        const double middle = median(seconds);
        std::printf("%-34s %8.2f ms (min %7.2f) %7.1f GB/s %6.0f %% of copy\n", name, middle * 1e3, seconds[0] * 1e3,
                    bytes / middle / 1e9, 100 * median(shares));
    }
};

struct Arena {
    std::vector<float> values;
    int64_t numel;
    void* address;
    ewc_list list;

    Arena(int64_t n, float first, int threads, ewc_dtype dtype = EWC_F32) : values(), numel(n) {
        const int64_t floats = ewc_segment_bytes(dtype, n) / 4 + 1;
        values.reserve(static_cast<size_t>(floats));
        address = values.data();
        float* data = values.data();
        list = {1, &numel, &address, dtype};
        if (dtype != EWC_F32) { // from f32 of the same value, by the verb: touched by the threads that use it
            const Arena source(n, first, threads);
            const ewc_exec exec = {-1, threads, nullptr};
            require(ewc_convert(&exec, &list, &source.list));
            return;
        }
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; ++i) {
            data[i] = first + 1e-6f * static_cast<float>(i % 1000);
        }
    }
    Arena(const Arena&) = delete;
};

// ewc_fisher_accumulate_linear on one layer: examples of `positions` positions each. Its measure is arithmetic, that of the
// layer's ordinary weight gradient.
void measure_linear(const char* layer, int64_t rows, int64_t columns, int64_t examples, int64_t positions, int threads,
                    int repeats) {
    const int64_t all = examples * positions;
    const Arena left(all * rows, 1e-3f, threads), right(all * columns, 0.5f, threads), fisher(rows * columns, 0.0f, threads);
    const ewc_matrix gradients = {left.address, rows, rows, EWC_F32}, inputs = {right.address, columns, columns, EWC_F32};
    std::vector<int64_t> offsets;
    for (int64_t n = 0; n <= examples; ++n) {
        offsets.push_back(n * positions);
    }
    const ewc_exec exec = {-1, threads, nullptr};
    size_t bytes = 0;
    require(ewc_fisher_accumulate_linear_workspace(&exec, &gradients, &inputs, offsets.data(), examples, &bytes));
    std::vector<double> workspace(bytes / sizeof(double) + 1), seconds;
    for (int i = 0; i < repeats + 2; ++i) {
        const double taken = seconds_of([&] {
            require(ewc_fisher_accumulate_linear(&exec, static_cast<float*>(fisher.address), &gradients, &inputs,
                                                 offsets.data(), examples, 1e-6, workspace.data(), bytes));
        });
        if (i >= 2) {
            seconds.push_back(taken);
        }
    }
    const double middle = median(seconds);
    const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(all);
    std::printf("fisher_accumulate_linear %-10s %5lld x %4lld, %2lld examples of %3lld: %8.2f ms (min %7.2f) %6.1f GFLOP/s\n",
                layer, static_cast<long long>(rows), static_cast<long long>(columns), static_cast<long long>(examples),
                static_cast<long long>(positions), middle * 1e3, seconds[0] * 1e3, operations / middle / 1e9);
}

// ewc_linear and its backward on the output layer of a Pythia-70m, with so many scored positions.
void measure_few_rows(int64_t rows, int threads, int repeats) {
    constexpr int64_t kOut = 50304, kIn = 512;
    const Arena x(rows * kIn, 0.5f, threads), weight(kOut * kIn, 0.01f, threads), y(rows * kOut, 1e-3f, threads);
    const Arena x_gradient(rows * kIn, 0.0f, threads), weight_gradient(kOut * kIn, 0.0f, threads);
    const auto floats = [](const Arena& arena) { return static_cast<float*>(arena.address); };
    const ewc_exec exec = {-1, threads, nullptr};
    size_t bytes = 0;
    require(ewc_linear_backward_workspace(&exec, rows, kOut, kIn, &bytes));
    std::vector<double> workspace(bytes / sizeof(double) + 1), forward, backward;
    for (int i = 0; i < repeats + 2; ++i) {
        const double there = seconds_of(
            [&] { require(ewc_linear(&exec, floats(x), floats(weight), rows, kOut, kIn, floats(y))); });
        const double back = seconds_of([&] {
            require(ewc_linear_backward(&exec, floats(y), floats(x), floats(weight), rows, kOut, kIn, 0,
                                        floats(x_gradient), floats(weight_gradient), workspace.data(), bytes));
        });
        if (i >= 2) {
            forward.push_back(there);
            backward.push_back(back);
        }
    }
    std::printf("linear, %2lld rows of %lld, %lld: %8.2f ms, backward %8.2f ms\n", static_cast<long long>(rows),
                static_cast<long long>(kIn), static_cast<long long>(kOut), median(forward) * 1e3,
                median(backward) * 1e3);
}

// The layers of a Pythia-70m at batch 16 x 32; of the output layer also with the answer's positions alone.
void measure_linear(int threads, int repeats) {
    measure_linear("inner", 2048, 512, 16, 32, threads, repeats);
    measure_linear("outer", 512, 2048, 16, 32, threads, repeats);
    measure_linear("qkv", 1536, 512, 16, 32, threads, repeats);
    measure_linear("attention", 512, 512, 16, 32, threads, repeats);
    measure_linear("output", 50304, 512, 16, 31, threads, repeats);
    measure_linear("answers", 50304, 512, 16, 3, threads, repeats);
    measure_linear("inner", 2048, 512, 16, 3, threads, repeats);
    measure_linear("inner", 2048, 512, 2, 256, threads, repeats);
    measure_linear("inner", 2048, 512, 1, 2048, threads, repeats);
    for (const int64_t rows : {1, 4, 12, 24, 48}) {
        measure_few_rows(rows, threads, repeats);
    }
}

// The scored positions of a batch over a vocabulary of 50,304, the size of the published comparison.
void cross_entropies(int threads, const Measurement& measure) {
    constexpr int64_t kRows = 124, kColumns = 50304;
    const double elements = static_cast<double>(kRows * kColumns), scale = 1.0 / kRows;
    const ewc_exec exec = {-1, threads, nullptr};
    std::vector<int64_t> targets(kRows, 17);
    size_t bytes = 0;
    require(ewc_cross_entropy_workspace(&exec, kRows, &bytes));
    std::vector<double> workspace(bytes / sizeof(double));
    for (const ewc_dtype dtype : {EWC_F32, EWC_F16, EWC_BF16}) {
        const Arena source(kRows * kColumns, 0.1f, threads), logits(kRows * kColumns, 0.1f, threads, dtype);
        const char* const names[] = {"cross_entropy, f32", "cross_entropy, f16", "cross_entropy, bf16"};
        const char* const gradients[] = {"with its gradient, f32", "with its gradient, f16", "with its gradient, bf16"};
        const double size = dtype == EWC_F32 ? 4 : 2;
        double loss = 0.0;
        const auto run = [&](uint32_t flags) {
            require(ewc_cross_entropy(&exec, logits.address, dtype, kRows, kColumns, targets.data(), &scale, flags,
                                      &loss, workspace.data(), bytes));
        };
        measure(names[dtype], size * elements, [&] { run(0); });
        measure(gradients[dtype], 2 * size * elements, [&] { run(EWC_LOGITS_TO_GRADIENT); });
    }
}

} // namespace

int main(int argc, char** argv) {
    const int64_t n = argc > 1 ? std::atoll(argv[1]) : 70'426'624;
    const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
    const int repeats = argc > 3 ? std::atoi(argv[3]) : 15;
    if (n == 0) { // the layers alone
        measure_linear(threads, repeats);
        return 0;
    }
    const double elements = static_cast<double>(n);
    const ewc_exec exec = {-1, threads, nullptr};
    Arena theta(n, 0.1f, threads), anchor(n, 0.1001f, threads), fisher(n, 1e-3f, threads), gradient(n, 1e-3f, threads),
        first(n, 1e-4f, threads), second(n, 1e-6f, threads);
    size_t bytes = 0;
    require(ewc_adamw_step_workspace(&exec, &theta.list, &bytes));
    std::vector<double> workspace(bytes / sizeof(double));
    const ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 5e-4, nullptr, nullptr, nullptr, nullptr};
    const ewc_adamw_values values = {10, 1e-5, 5000, 1, 1};
    ewc_adamw_statistics statistics{};
    double sum = 0.0;

    std::printf("%lld elements, %d threads, %s\n", static_cast<long long>(n), threads, ewc_host_instruction_set());
    float* to = static_cast<float*>(first.address);
    const float* from = static_cast<const float*>(second.address);
    const auto copy = [&] {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; ++i) {
            to[i] = from[i];
        }
    };
    const Measurement measure{repeats, 8 * elements, copy};
    measure("copy", 8 * elements, copy);
    measure("fisher_accumulate", 12 * elements,
            [&] { require(ewc_fisher_accumulate(&exec, &fisher.list, &gradient.list, 1e-6, 0)); });
    measure("fisher_merge", 12 * elements,
            [&] { require(ewc_fisher_merge(&exec, &fisher.list, &gradient.list, 0.5, 0.5)); });
    measure("norm", 4 * elements, [&] {
        require(ewc_norm(&exec, &gradient.list, nullptr, nullptr, nullptr, nullptr, nullptr, &sum, workspace.data(), bytes));
    });
    measure("norm of the total", 16 * elements, [&] {
        require(ewc_norm(&exec, &gradient.list, &theta.list, &anchor.list, &fisher.list, &values.lambda, nullptr, &sum,
                         workspace.data(), bytes));
    });
    measure("penalty", 12 * elements, [&] {
        require(ewc_penalty(&exec, &theta.list, &anchor.list, &fisher.list, nullptr, nullptr, nullptr, &sum, workspace.data(),
                            bytes));
    });
    measure("penalty and gradient", 20 * elements, [&] {
        require(ewc_penalty(&exec, &theta.list, &anchor.list, &fisher.list, &gradient.list, &values.lambda, nullptr, &sum,
                            workspace.data(), bytes));
    });
    measure("adamw_step", 28 * elements, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, nullptr, nullptr,
                               &options, &values, 0, &statistics, workspace.data(), bytes));
    });
    measure("adamw_step with EWC", 36 * elements, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher.list,
                               &anchor.list, &options, &values, 0, &statistics, workspace.data(), bytes));
    });
    measure("same, zeroing the gradient", 40 * elements, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher.list,
                               &anchor.list, &options, &values, EWC_ZERO_GRADIENT, &statistics, workspace.data(),
                               bytes));
    });
    const Arena fisher16(n, 1e-3f, threads, EWC_BF16), anchor16(n, 0.1001f, threads, EWC_I16_BLOCK256),
        copy16(n, 0.1f, threads, EWC_BF16);
    measure("fisher_merge, F bf16", 8 * elements,
            [&] { require(ewc_fisher_merge(&exec, &fisher16.list, &gradient.list, 0.5, 0.5)); });
    measure("penalty, F bf16, anchor i16", 8 * elements, [&] {
        require(ewc_penalty(&exec, &theta.list, &anchor16.list, &fisher16.list, nullptr, nullptr, nullptr, &sum,
                            workspace.data(), bytes));
    });
    measure("adamw_step, F bf16, anchor i16", 32 * elements, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher16.list,
                               &anchor16.list, &options, &values, 0, &statistics, workspace.data(), bytes));
    });
    ewc_adamw_options copying = options;
    copying.theta_copy = &copy16.list;
    measure("adamw_step with EWC, bf16 copy", 38 * elements, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher.list,
                               &anchor.list, &copying, &values, 0, &statistics, workspace.data(), bytes));
    });
    cross_entropies(threads, measure);
    measure_linear(threads, repeats);
    return 0;
}
