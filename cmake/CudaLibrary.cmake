# libewc_cuda.so, where a working nvcc is found. check_language(CUDA) takes an nvcc that cannot compile (no headers, a host
# compiler it does not know, none of our architectures), and enable_language(CUDA) or the first kernel then ends the whole
# build; so nvcc is tried first, on all that the library asks of a toolkit.
set(EWC_CUDA_ARCHITECTURES 80-real 90-real 100-real 100-virtual CACHE STRING "Machine code for these, and PTX for what comes later")

# A streaming verb each, the one that multiplies, and what binds them; the tests compile the same files for the host.
set(EWC_CUDA_STREAMING fisher_accumulate fisher_merge fisher_max anchor penalty norm adamw_step convert cross_entropy)
set(EWC_CUDA_SOURCES "")
foreach(source IN LISTS EWC_CUDA_STREAMING ITEMS adamw_prepare fisher_accumulate_linear ranges table)
  list(APPEND EWC_CUDA_SOURCES ${EWC_ROOT}/cuda/${source}.cu)
endforeach()

set(EWC_NVCC_PROBE [[
#include <cuda_profiler_api.h>
#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>
struct Parameters { char bytes[32752]; }; // 32,760 with the address: our tables' size
__global__ void probe(const __grid_constant__ Parameters parameters, char* to) { *to = parameters.bytes[*to]; }
int main() {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result;
    cudaGetDriverEntryPointByVersion("cuInit", &found, 7000, cudaEnableDefault, &result);
    nvtxRangePop();
    probe<<<1, 1>>>(Parameters{}, nullptr);
    return cudaProfilerStop() != cudaSuccess;
}
]])

function(ewc_find_working_nvcc result reason)
  set(${result} "" PARENT_SCOPE)
  if(NOT EWC_CUDA)
    set(${reason} "switched off by EWC_CUDA=OFF" PARENT_SCOPE)
    return()
  endif()
  find_program(EWC_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin NO_CACHE)
  if(NOT EWC_NVCC)
    set(${reason} "no nvcc found" PARENT_SCOPE)
    return()
  endif()
  set(probe ${CMAKE_BINARY_DIR}/nvcc-probe)
  set(architectures "")
  foreach(architecture IN LISTS EWC_CUDA_ARCHITECTURES)
    string(REGEX REPLACE "-.*" "" architecture "${architecture}")
    list(APPEND architectures -gencode=arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  list(REMOVE_DUPLICATES architectures)
  file(WRITE ${probe}/probe.cu "${EWC_NVCC_PROBE}")
  execute_process(COMMAND ${EWC_NVCC} -std=c++17 ${architectures} -o ${probe}/probe ${probe}/probe.cu
                  RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    string(REGEX REPLACE "\n.*" "" output "${output}")
    if(output MATCHES "Unsupported gpu architecture 'compute_1[0-9][0-9]")
      set(${reason} "${EWC_NVCC} is too old for ${EWC_CUDA_ARCHITECTURES} (sm_100 needs CUDA 12.8): ${output}" PARENT_SCOPE)
    else()
      set(${reason} "${EWC_NVCC} cannot compile what the library needs: ${output}" PARENT_SCOPE)
    endif()
    return()
  endif()
  set(${result} ${EWC_NVCC} PARENT_SCOPE)
endfunction()

# The probe takes seconds: its answer is kept as long as nvcc is the same file and is asked the same.
string(SHA1 question "${EWC_CUDA_ARCHITECTURES}${EWC_NVCC_PROBE}")
if(NOT (EWC_CUDA AND EWC_WORKING_NVCC AND EXISTS "${EWC_WORKING_NVCC}" AND EWC_NVCC_ASKED STREQUAL question))
  ewc_find_working_nvcc(found reason)
  set(EWC_WORKING_NVCC "${found}" CACHE INTERNAL "nvcc that compiled a kernel")
  set(EWC_NVCC_ASKED "${question}" CACHE INTERNAL "What it was asked to compile")
endif()

if(EWC_WORKING_NVCC)
  message(STATUS "libewc_cuda.so: built by ${EWC_WORKING_NVCC} for ${EWC_CUDA_ARCHITECTURES}")
  set(CMAKE_CUDA_COMPILER ${EWC_WORKING_NVCC})
  set(CMAKE_CUDA_ARCHITECTURES ${EWC_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)

  add_library(ewc_cuda SHARED ${EWC_CUDA_SOURCES})
  target_include_directories(ewc_cuda PRIVATE ${EWC_ROOT}/native/include ${EWC_ROOT}/native/src ${EWC_ROOT}/cuda)
  # A spill or a warning is an error: a streaming kernel has no business with either.
  target_compile_options(ewc_cuda PRIVATE -Xptxas --warn-on-spills,--warn-on-local-memory-usage -Werror all-warnings
                         -Xcompiler -Wall,-Wextra -lineinfo)
  # -lineinfo, for the profiler's source page, doubles the machine code; compressed it is a quarter.
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13.0)
    target_compile_options(ewc_cuda PRIVATE --compress-mode=size)
  endif()
  set_target_properties(ewc_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden
                        LINKER_LANGUAGE CUDA)
  target_link_options(ewc_cuda PRIVATE -Wl,--version-script=${EWC_ROOT}/cuda/libewc_cuda.map -Wl,--exclude-libs,ALL
                      -static-libstdc++ -static-libgcc)
elseif(EWC_REQUIRE_CUDA)
  message(FATAL_ERROR "libewc_cuda.so cannot be built, and EWC_REQUIRE_CUDA asks for it: ${reason}")
else()
  message(NOTICE "libewc_cuda.so is not built: ${reason}. The CPU needs none of it.")
endif()
