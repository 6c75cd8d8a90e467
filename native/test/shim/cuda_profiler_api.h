// The profiler's part of the shim: what was called, and when.
#pragma once

#include "cuda_runtime.h"

inline cudaError_t cudaProfilerStart() { return shim::calls += "start ", cudaSuccess; }
inline cudaError_t cudaProfilerStop() { return shim::calls += "stop ", cudaSuccess; }
