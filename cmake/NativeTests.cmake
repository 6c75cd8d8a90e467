# The native tests. They link the objects rather than libewc.so, so that they can force an instruction set.
set(EWC_GTEST_SOURCE "" CACHE PATH "GoogleTest's sources, for a machine where it is not installed")
if(EWC_GTEST_SOURCE)
  set(INSTALL_GTEST OFF)
  add_subdirectory(${EWC_GTEST_SOURCE} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  if(NOT TARGET GTest::gtest) # older sources have no names of this form
    add_library(GTest::gtest ALIAS gtest)
    add_library(GTest::gtest_main ALIAS gtest_main)
  endif()
else()
  find_package(GTest)
  if(NOT GTest_FOUND)
    message(FATAL_ERROR "EWC_BUILD_TESTS needs GoogleTest: apt-get install libgtest-dev, or give its sources as EWC_GTEST_SOURCE")
  endif()
endif()
include(GoogleTest)

set(EWC_TEST ${EWC_ROOT}/native/test)
# One list of cases, run at every place that a program links: here the instruction sets of the host.
set(EWC_CONTRACT ${EWC_TEST}/contract_test.cpp ${EWC_TEST}/contract_more_test.cpp ${EWC_TEST}/contract_anchor_test.cpp
    ${EWC_TEST}/contract_linear_test.cpp ${EWC_TEST}/cross_entropy_test.cpp ${EWC_TEST}/adamw_prepare_test.cpp
    ${EWC_TEST}/proximal_test.cpp
    ${EWC_TEST}/place.cpp)

add_executable(ewc_tests ${EWC_CONTRACT} ${EWC_TEST}/product_test.cpp ${EWC_TEST}/arguments_test.cpp
               ${EWC_TEST}/allocation_test.cpp
               ${EWC_TEST}/chunks_test.cpp)
target_link_libraries(ewc_tests PRIVATE ewc_objects ewc_warnings GTest::gtest GTest::gtest_main)
gtest_discover_tests(ewc_tests DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)

# The CUDA sources compiled as C++ over a shim of the CUDA runtime, so that the kernels run where no GPU and no nvcc is.
set(shim_sources "")
foreach(source IN LISTS EWC_CUDA_SOURCES) # through a file that includes it, as the .cu itself belongs to nvcc
  get_filename_component(name ${source} NAME_WE)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/shim/${name}.cpp CONTENT "#include \"${source}\"\n")
  list(APPEND shim_sources ${CMAKE_BINARY_DIR}/shim/${name}.cpp)
endforeach()
add_executable(ewc_shim_tests ${EWC_CONTRACT} ${EWC_TEST}/device_chunks_test.cpp ${EWC_TEST}/device_profiler_test.cpp
               ${EWC_TEST}/shim/shim.cpp ${shim_sources})
target_compile_definitions(ewc_shim_tests PRIVATE EWC_TEST_DEVICE_PLACE)
target_include_directories(ewc_shim_tests PRIVATE ${EWC_TEST} ${EWC_TEST}/shim ${EWC_ROOT}/cuda)
target_compile_options(ewc_shim_tests PRIVATE -Wno-unknown-pragmas)
target_link_libraries(ewc_shim_tests PRIVATE ewc_objects ewc_warnings GTest::gtest GTest::gtest_main)
gtest_discover_tests(ewc_shim_tests DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)

# Arguments that a fuzzer chose, the same ones on every run. With Clang also for libFuzzer: native/test/fuzz/run.sh.
add_executable(ewc_abi_fuzz ${EWC_TEST}/fuzz/abi_fuzz.cpp ${EWC_TEST}/fuzz/fuzz_main.cpp)
target_link_libraries(ewc_abi_fuzz PRIVATE ewc_objects ewc_warnings)
add_test(NAME abi_fuzz COMMAND ewc_abi_fuzz 100000)
set_tests_properties(abi_fuzz PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=PASSIVE) # else threads spin between calls of microseconds

add_executable(ewc_header_is_c ${EWC_ROOT}/native/test/header_is_c.c)
target_link_libraries(ewc_header_is_c PRIVATE ewc)
target_compile_options(ewc_header_is_c PRIVATE -Wall -Wextra -Wpedantic -Werror)
add_test(NAME header_is_c COMMAND ewc_header_is_c)

# Nothing but the ABI leaves libewc.so.
add_test(NAME exports COMMAND sh -c
  "symbols=$(nm -D --defined-only \"$0\") && echo \"$symbols\" | grep -q ' ewc_convert$' && ! echo \"$symbols\" | grep -v ' ewc_'"
  $<TARGET_FILE:ewc>)

if(TARGET ewc_cuda)
  # Without a GPU, PTX shows whether the compiler kept the wide accesses. (That nothing spills is checked by the build.)
  set(includes -I${EWC_ROOT}/native/include -I${EWC_ROOT}/native/src -I${EWC_ROOT}/cuda)
  foreach(verb IN LISTS EWC_CUDA_STREAMING)
    add_test(NAME cuda_${verb}_accesses_are_wide COMMAND sh -c
      "script=$0 && \"$@\" -o - | awk -f \"$script\"" ${EWC_TEST}/wide_accesses.awk
      ${EWC_WORKING_NVCC} -ptx -std=c++17 -arch=sm_80 ${includes} ${EWC_ROOT}/cuda/${verb}.cu)
  endforeach()

  add_executable(ewc_cuda_load_test ${EWC_TEST}/cuda_load_test.cpp)
  target_link_libraries(ewc_cuda_load_test PRIVATE ewc ewc_warnings GTest::gtest GTest::gtest_main)
  add_dependencies(ewc_cuda_load_test ewc_cuda)
  gtest_discover_tests(ewc_cuda_load_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)

  # The contract on a device; skipped, with the reason, where there is none. libewc_cuda.so lies beside it.
  add_executable(ewc_cuda_tests ${EWC_CONTRACT} ${EWC_TEST}/device_place.cpp ${EWC_TEST}/device_graph_test.cpp)
  target_compile_definitions(ewc_cuda_tests PRIVATE EWC_TEST_DEVICE_PLACE)
  find_package(CUDAToolkit REQUIRED)
  target_link_libraries(ewc_cuda_tests PRIVATE ewc_objects ewc_warnings CUDA::cudart_static GTest::gtest GTest::gtest_main)
  add_dependencies(ewc_cuda_tests ewc_cuda)
  gtest_discover_tests(ewc_cuda_tests DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)
  # None of its cases escapes the sanitizers for its name, but the one that needs the memory of a device.
  add_test(NAME cuda_cases_are_sanitized COMMAND sh -c
    "test \"$(\"$0\" unsanitized \"$1\")\" = DeviceGraph.BeyondTwoToTheThirtyOneElements"
    ${EWC_ROOT}/bench/gpu/contract_tests.sh $<TARGET_FILE:ewc_cuda_tests>)
endif()
