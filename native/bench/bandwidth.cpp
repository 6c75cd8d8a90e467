// How close each host verb comes to the machine's memory bandwidth:  ewc_bench [elements] [threads] [repeats]
// Prints the median, and the bandwidth by the bytes that ewc.h states, beside a copy of the same size.
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

void measure(const char* name, double bytes, int repeats, const std::function<void()>& verb) {
    std::vector<double> seconds;
    for (int i = 0; i < repeats + 2; ++i) {
        const auto start = std::chrono::steady_clock::now();
        verb();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        if (i >= 2) {
            seconds.push_back(elapsed.count());
        }
    }
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    std::printf("%-28s %8.2f ms (min %7.2f) %7.1f GB/s\n", name, median * 1e3, seconds[0] * 1e3, bytes / median / 1e9);
}

struct Arena {
    std::vector<float> values;
    int64_t numel;
    void* address;
    ewc_list list;

    Arena(int64_t n, float first, int threads) : values(), numel(n) {
        values.reserve(static_cast<size_t>(n));
        address = values.data();
        float* data = values.data();
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; ++i) {
            data[i] = first + 1e-6f * static_cast<float>(i % 1000);
        }
        list = {1, &numel, &address, EWC_F32};
    }
    Arena(const Arena&) = delete;
};

} // namespace

int main(int argc, char** argv) {
    const int64_t n = argc > 1 ? std::atoll(argv[1]) : 70'426'624;
    const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
    const int repeats = argc > 3 ? std::atoi(argv[3]) : 15;
    const double elements = static_cast<double>(n);
    const ewc_exec exec = {-1, threads, nullptr};
    Arena theta(n, 0.1f, threads), anchor(n, 0.1001f, threads), fisher(n, 1e-3f, threads), gradient(n, 1e-3f, threads),
        first(n, 1e-4f, threads), second(n, 1e-6f, threads);
    size_t bytes = 0;
    require(ewc_adamw_step_workspace(&exec, &theta.list, &bytes));
    std::vector<double> workspace(bytes / sizeof(double));
    const ewc_adamw_options options = {sizeof(options), 0.9, 0.999, 1e-8, 5e-4, nullptr, nullptr, nullptr};
    const ewc_adamw_values values = {10, 1e-5, 5000, 1, 1};
    ewc_adamw_statistics statistics{};
    double sum = 0.0;

    std::printf("%lld elements, %d threads, %s\n", static_cast<long long>(n), threads, ewc_host_instruction_set());
    float* to = static_cast<float*>(first.address);
    const float* from = static_cast<const float*>(second.address);
    measure("copy", 8 * elements, repeats, [&] {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; ++i) {
            to[i] = from[i];
        }
    });
    measure("fisher_accumulate", 12 * elements, repeats,
            [&] { require(ewc_fisher_accumulate(&exec, &fisher.list, &gradient.list, 1e-6, 0)); });
    measure("fisher_merge", 12 * elements, repeats,
            [&] { require(ewc_fisher_merge(&exec, &fisher.list, &gradient.list, 0.5, 0.5)); });
    measure("norm", 4 * elements, repeats, [&] {
        require(ewc_norm(&exec, &gradient.list, nullptr, nullptr, nullptr, nullptr, &sum, workspace.data(), bytes));
    });
    measure("norm of the total", 16 * elements, repeats, [&] {
        require(ewc_norm(&exec, &gradient.list, &theta.list, &anchor.list, &fisher.list, &values.lambda, &sum,
                         workspace.data(), bytes));
    });
    measure("penalty", 12 * elements, repeats, [&] {
        require(ewc_penalty(&exec, &theta.list, &anchor.list, &fisher.list, nullptr, nullptr, &sum, workspace.data(),
                            bytes));
    });
    measure("penalty and gradient", 20 * elements, repeats, [&] {
        require(ewc_penalty(&exec, &theta.list, &anchor.list, &fisher.list, &gradient.list, &values.lambda, &sum,
                            workspace.data(), bytes));
    });
    measure("adamw_step", 28 * elements, repeats, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, nullptr, nullptr,
                               &options, &values, 0, &statistics, workspace.data(), bytes));
    });
    measure("adamw_step with EWC", 36 * elements, repeats, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher.list,
                               &anchor.list, &options, &values, 0, &statistics, workspace.data(), bytes));
    });
    measure("same, zeroing the gradient", 40 * elements, repeats, [&] {
        require(ewc_adamw_step(&exec, &theta.list, &first.list, &second.list, &gradient.list, &fisher.list,
                               &anchor.list, &options, &values, EWC_ZERO_GRADIENT, &statistics, workspace.data(),
                               bytes));
    });
    return 0;
}
