// The one launcher of all verbs: lists of tensors cut into chunks, one thread block a chunk, addresses by value.
//
// A table of some hundreds of segments (337 of AdamW, 1,013 of two lists alone) travels in the kernel's parameters, which
// are 32,764 bytes since CUDA 12.1 (driver R530), so nothing is copied to the device and nothing allocated, and a model of
// some 300 tensors takes one launch; longer lists take several, each with a drain of the device. Chunks are of a fixed size,
// so the partition, and with it the order of every sum, depends on neither the number of multiprocessors nor of threads.
// Nothing here waits or reads the device, so every verb can be captured in a graph.
#pragma once

#include <cstdint>
#include <utility>

#include <cuda_runtime.h>

#include "status.cuh"
#include "stream.cuh"

namespace ewc::cuda {

// 16 Ki elements keep a block of 256 threads busy for 16 rounds of one 128-bit load each. With fewer, the search for the
// segment and the launch of blocks show; with more, the last wave, in which ever fewer multiprocessors have work, is a
// larger part of a short kernel. A multiple of kBlock and of what a block takes in one round.
constexpr int64_t kDeviceChunk = 16384;

// What a kernel's parameters hold, and what is left of it for a verb, the partial sums' address and alignment.
constexpr int kParameterBytes = 32764;
constexpr int kVerbBytes = 256;

inline int64_t device_chunks(int64_t numel) { return numel / kDeviceChunk + (numel % kDeviceChunk != 0); }

inline int64_t device_chunks(const ewc_list& list) {
    int64_t chunks = 0;
    for (int64_t i = 0; i < list.count; ++i) {
        chunks += device_chunks(list.numel[i]);
    }
    return chunks;
}

// The addresses of `lists` tensor lists for a run of segments, and `extras` numbers of each segment.
template <int lists, int extras>
struct SegmentTable {
    // 8 bytes an address and list, 8 an extra, 8 for the size, 8 for the first chunk; 64 for what is there once.
    static constexpr int kSegments = (kParameterBytes - kVerbBytes - 64 - 4 * lists) / (8 * (lists + extras) + 16);

    int segments;
    int64_t chunks_before; // of earlier launches: where this one's partial sums begin
    void* data[lists][kSegments];
    double extra[extras == 0 ? 1 : extras][extras == 0 ? 1 : kSegments];
    int64_t numel[kSegments];
    int64_t first_chunk[kSegments + 1];
    ewc_dtype dtype[lists];
};

// One chunk: where it lies in each list.
template <int lists, int extras>
struct DeviceChunk {
    Elements given[lists]; // an address that nobody looks at where the list was not given
    double extra[extras == 0 ? 1 : extras];
    int n;
};

template <int lists, int extras>
__device__ __forceinline__ DeviceChunk<lists, extras> chunk_of(const SegmentTable<lists, extras>& table, int64_t block) {
    int low = 0;
    int high = table.segments - 1;
    while (low < high) { // the last segment whose first chunk is not beyond this block
        const int middle = (low + high + 1) / 2;
        if (table.first_chunk[middle] <= block) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    const int64_t numel = table.numel[low];
    const int64_t offset = (block - table.first_chunk[low]) * kDeviceChunk;
    DeviceChunk<lists, extras> chunk;
    chunk.n = static_cast<int>(numel - offset < kDeviceChunk ? numel - offset : kDeviceChunk);
#pragma unroll
    for (int list = 0; list < lists; ++list) {
        chunk.given[list] = elements_at(table.data[list][low], numel, table.dtype[list], offset);
    }
#pragma unroll
    for (int e = 0; e < extras; ++e) {
        chunk.extra[e] = table.extra[e][low];
    }
    return chunk;
}

// verb(chunk, sums) by all threads of a block; what they summed goes to the chunk's slot of partials.
template <int lists, int extras, typename Verb>
__global__ void __launch_bounds__(kThreads)
    chunk_kernel(const __grid_constant__ SegmentTable<lists, extras> table, const Verb verb, double* partials) {
    double sum[Verb::kSums == 0 ? 1 : Verb::kSums] = {};
    verb(chunk_of(table, blockIdx.x), sum);
    if constexpr (Verb::kSums > 0) {
        block_sum(sum);
        if (threadIdx.x == 0) {
#pragma unroll
            for (int s = 0; s < Verb::kSums; ++s) {
                partials[(table.chunks_before + blockIdx.x) * Verb::kSums + s] = sum[s];
            }
        }
    }
}

template <int threads = kThreads, typename... Parameters, typename... Arguments>
cudaError_t launch_kernel(void (*kernel)(Parameters...), int64_t blocks, void* stream, Arguments&&... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(threads);
    config.stream = static_cast<cudaStream_t>(stream);
    return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// Fills tables with the segments of the lists, which the caller has checked to be cut alike, and calls run(table, chunks)
// for each that is full, and the last. extra(segment, e) gives a segment's numbers. A null list has null addresses.
template <int extras, int lists, typename Extra, typename Run>
cudaError_t for_each_table(const ewc_list* const (&given)[lists], const ewc_list& cut, Extra&& extra, Run&& run) {
    SegmentTable<lists, extras> table;
    table.segments = 0;
    table.chunks_before = 0;
    int64_t chunks = 0;
    for (int list = 0; list < lists; ++list) {
        table.dtype[list] = given[list] == nullptr ? EWC_F32 : given[list]->dtype;
    }
    for (int64_t i = 0; i < cut.count; ++i) {
        if (cut.numel[i] != 0) {
            for (int list = 0; list < lists; ++list) {
                table.data[list][table.segments] = given[list] == nullptr ? nullptr : given[list]->data[i];
            }
            for (int e = 0; e < extras; ++e) {
                table.extra[e][table.segments] = extra(i, e);
            }
            table.numel[table.segments] = cut.numel[i];
            table.first_chunk[table.segments] = chunks;
            chunks += device_chunks(cut.numel[i]); // a grid has at most 2^31 - 1 blocks: 2^45 elements
            ++table.segments;
            table.first_chunk[table.segments] = chunks;
        }
        if (table.segments == table.kSegments || (i == cut.count - 1 && table.segments > 0)) {
            if (const cudaError_t error = run(table, chunks); error != cudaSuccess) {
                return error;
            }
            table.chunks_before += chunks;
            table.segments = 0;
            chunks = 0;
        }
    }
    return cudaSuccess;
}

// Runs verb over every chunk of the lists, asynchronously on exec.stream.
template <int extras, int lists, typename Verb, typename Extra>
cudaError_t launch_chunks(const ewc_exec& exec, const ewc_list* const (&given)[lists], const ewc_list& cut,
                          const Verb& verb, double* partials, Extra&& extra) {
    static_assert(sizeof(SegmentTable<lists, extras>) + sizeof(Verb) + sizeof(partials) + alignof(Verb) <= kParameterBytes,
                  "a kernel's parameters");
    return for_each_table<extras>(given, cut, extra, [&](const SegmentTable<lists, extras>& table, int64_t chunks) {
        return launch_kernel(chunk_kernel<lists, extras, Verb>, chunks, exec.stream, table, verb, partials);
    });
}

template <int lists, typename Verb>
cudaError_t launch_chunks(const ewc_exec& exec, const ewc_list* const (&given)[lists], const ewc_list& cut,
                          const Verb& verb, double* partials = nullptr) {
    return launch_chunks<0>(exec, given, cut, verb, partials, [](int64_t, int) { return 0.0; });
}

template <int sums, typename Finish>
cudaError_t launch_finish(const ewc_exec& exec, const double* partials, int64_t chunks, const Finish& finish) {
    return launch_kernel<kFinishThreads>(finish_kernel<sums, Finish>, 1, exec.stream, partials, chunks, finish);
}

// Calls body on exec's device, and reports what came of it.
template <typename Body>
ewc_status on_device(const ewc_exec& exec, ewc_cuda_message* message, Body&& body) {
    const DeviceGuard device(exec.device);
    if (device.error() != cudaSuccess) {
        return report(device.error(), "cudaSetDevice", message);
    }
    return report(body(), "kernel launch", message);
}

// Kinds as types, so that a verb's template is chosen by the dtypes of its lists: body(kind_constant).
template <Kind kind>
struct KindConstant {
    static constexpr Kind value = kind;
};

template <typename Body>
cudaError_t with_f32_or_half(ewc_dtype dtype, Body&& body) {
    return dtype == EWC_F32 ? body(KindConstant<Kind::f32>{}) : body(KindConstant<Kind::half>{});
}

template <typename Body>
cudaError_t with_f32_or_half(const ewc_list& list, Body&& body) {
    return with_f32_or_half(list.dtype, body);
}

template <typename Body>
cudaError_t with_f32_or_block(const ewc_list& list, Body&& body) {
    return list.dtype == EWC_F32 ? body(KindConstant<Kind::f32>{}) : body(KindConstant<Kind::block>{});
}

// A Fisher that is only read.
template <typename Body>
cudaError_t with_read_fisher(const ewc_list& list, Body&& body) {
    return list.dtype == EWC_U8_BLOCK256 ? body(KindConstant<Kind::byte>{}) : with_f32_or_half(list.dtype, body);
}

// body(fisher's kind, anchor's kind), the Fisher only read.
template <typename Body>
cudaError_t with_penalty(const ewc_list& fisher, const ewc_list& anchor, Body&& body) {
    return with_read_fisher(fisher, [&](auto fisher_kind) {
        return with_f32_or_block(anchor, [&](auto anchor_kind) { return body(fisher_kind, anchor_kind); });
    });
}

} // namespace ewc::cuda
