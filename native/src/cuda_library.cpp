#include "cuda_library.h"

#include <atomic>
#include <string>

#include <dlfcn.h>

#include "status.h"

namespace ewc {
namespace {

struct Loaded {
    const ewc_cuda_table* table = nullptr;
    std::string reason;
};

// libewc_cuda.so lies beside libewc.so and nowhere else: a stray one on the library path may be of another version.
std::string path_beside_this_library() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&ewc_abi_version), &info) == 0 || info.dli_fname == nullptr) {
        return "libewc_cuda.so";
    }
    const std::string self = info.dli_fname;
    const size_t slash = self.rfind('/');
    return (slash == std::string::npos ? std::string("./") : self.substr(0, slash + 1)) + "libewc_cuda.so";
}

Loaded load() {
    const std::string path = path_beside_this_library();
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* reason = dlerror();
        return {nullptr, std::string("the CUDA library was not loaded (") + (reason == nullptr ? path : reason) + ")"};
    }
    const auto symbol = reinterpret_cast<ewc_cuda_table_function>(dlsym(library, EWC_CUDA_TABLE_SYMBOL));
    const ewc_cuda_table* table = symbol == nullptr ? nullptr : symbol();
    if (table == nullptr || table->abi != EWC_CUDA_TABLE_ABI) {
        const std::string came = table == nullptr ? "none" : std::to_string(table->abi);
        dlclose(library);
        return {nullptr, path + " has another function table: expected number " + std::to_string(EWC_CUDA_TABLE_ABI) +
                             ", came " + came};
    }
    return {table, ""};
}

const Loaded& library() {
    static const Loaded loaded = load();
    return loaded;
}

std::atomic<const ewc_cuda_table*> forced{nullptr};

} // namespace

const ewc_cuda_table* cuda_library_or_null() {
    const ewc_cuda_table* table = forced.load(std::memory_order_relaxed);
    return table == nullptr ? library().table : table;
}

const ewc_cuda_table& cuda_library(const char* verb) {
    const ewc_cuda_table* table = cuda_library_or_null();
    if (table == nullptr) {
        throw Failure(EWC_UNSUPPORTED, std::string(verb) + ": exec->device needs CUDA, but " + library().reason);
    }
    return *table;
}

void force_cuda_library(const ewc_cuda_table* table) { forced.store(table, std::memory_order_relaxed); }

} // namespace ewc
