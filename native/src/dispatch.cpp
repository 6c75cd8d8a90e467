// The choice of instruction set, once per process.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(EWC_X86_64)
#include <cpuid.h>
#endif

#include "host_kernels.h"

namespace ewc {
namespace {

#if defined(EWC_X86_64)
// Not by __builtin_cpu_supports, to which Clang 14 refuses this name.
bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

const HostKernels& best_of_cpu() {
    const char* wanted = std::getenv("EWC_INSTRUCTION_SET");
    const HostKernels* named = wanted == nullptr ? nullptr : host_kernels_named(wanted);
    if (named != nullptr) {
        return *named;
    }
    for (const char* name : {"avx512", "avx2", "neon"}) {
        if (const HostKernels* kernels = host_kernels_named(name)) {
            return *kernels;
        }
    }
    return portable::kernels;
}

std::atomic<const HostKernels*> forced{nullptr};

} // namespace

const HostKernels* host_kernels_named(const char* name) {
#if defined(EWC_X86_64)
    // __builtin_cpu_supports asks the operating system too: it must save the wide registers.
    if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma") &&
        has_f16c()) {
        return &avx512::kernels;
    }
    if (std::strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        has_f16c()) {
        return &avx2::kernels;
    }
#elif defined(EWC_AARCH64)
    if (std::strcmp(name, "neon") == 0) { // every 64-bit ARM has it
        return &neon::kernels;
    }
#endif
    return std::strcmp(name, "portable") == 0 ? &portable::kernels : nullptr;
}

const HostKernels& host_kernels() {
    static const HostKernels& chosen = best_of_cpu();
    const HostKernels* override = forced.load(std::memory_order_relaxed);
    return override == nullptr ? chosen : *override;
}

void force_host_kernels(const HostKernels* kernels) { forced.store(kernels, std::memory_order_relaxed); }

} // namespace ewc
