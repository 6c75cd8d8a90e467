# libewc.so. The objects are apart, so that the tests reach what the export map hides.
set(EWC_SOURCE ${EWC_ROOT}/native/src)

# Three sources, compiled once per instruction set. No errno and no traps from sqrt and division, or nothing vectorises;
# never -ffast-math: NaN and Inf must propagate.
set(EWC_KERNEL_FLAGS -fno-math-errno -fno-trapping-math -fopenmp-simd -ffp-contract=fast)

function(ewc_add_kernels name)
  add_library(ewc_kernels_${name} OBJECT ${EWC_SOURCE}/host_kernels.cpp ${EWC_SOURCE}/host_linear_kernels.cpp
              ${EWC_SOURCE}/host_product_kernels.cpp)
  target_compile_definitions(ewc_kernels_${name} PRIVATE EWC_INSTRUCTION_SET_NAMESPACE=${name})
  target_include_directories(ewc_kernels_${name} PRIVATE ${EWC_ROOT}/native/include)
  target_compile_options(ewc_kernels_${name} PRIVATE ${EWC_KERNEL_FLAGS} ${ARGN})
  target_link_libraries(ewc_kernels_${name} PRIVATE ewc_warnings)
  target_sources(ewc_objects INTERFACE $<TARGET_OBJECTS:ewc_kernels_${name}>)
endfunction()

add_library(ewc_core OBJECT
  ${EWC_SOURCE}/ewc.cpp ${EWC_SOURCE}/ewc_linear.cpp ${EWC_SOURCE}/arguments.cpp ${EWC_SOURCE}/overlap.cpp ${EWC_SOURCE}/dispatch.cpp
  ${EWC_SOURCE}/host.cpp ${EWC_SOURCE}/host_linear.cpp ${EWC_SOURCE}/host_product.cpp
  ${EWC_SOURCE}/cuda_library.cpp)
target_include_directories(ewc_core PUBLIC ${EWC_ROOT}/native/include ${EWC_SOURCE})
target_link_libraries(ewc_core PRIVATE ewc_warnings OpenMP::OpenMP_CXX)

add_library(ewc_objects INTERFACE)
target_include_directories(ewc_objects INTERFACE ${EWC_ROOT}/native/include ${EWC_SOURCE})
target_sources(ewc_objects INTERFACE $<TARGET_OBJECTS:ewc_core>)
# libgomp by its soname, libgomp.so.1, as libtorch has it: one pool of threads in a process.
target_link_libraries(ewc_objects INTERFACE OpenMP::OpenMP_CXX ${CMAKE_DL_LIBS})

ewc_add_kernels(portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_definitions(ewc_core PRIVATE EWC_X86_64)
  ewc_add_kernels(avx2 -mavx2 -mfma -mf16c)
  ewc_add_kernels(avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c -mprefer-vector-width=512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  # The loops vectorise for NEON as they are; no intrinsics.
  target_compile_definitions(ewc_core PRIVATE EWC_AARCH64)
  ewc_add_kernels(neon)
endif()

add_library(ewc SHARED ${EWC_SOURCE}/libewc.map)
set_target_properties(ewc PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(ewc PRIVATE ewc_objects)
target_include_directories(ewc INTERFACE ${EWC_ROOT}/native/include)
# libstdc++ and libgcc inside: the jar must run where no compiler is installed, beside whatever the JVM brings.
target_link_options(ewc PRIVATE -Wl,--version-script=${EWC_SOURCE}/libewc.map -Wl,--no-undefined
                    $<$<NOT:$<BOOL:${EWC_SANITIZE}>>:-static-libstdc++> -static-libgcc)
set_property(TARGET ewc APPEND PROPERTY LINK_DEPENDS ${EWC_SOURCE}/libewc.map)
