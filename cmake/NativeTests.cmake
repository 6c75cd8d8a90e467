# The native tests. They link the objects rather than libewc.so, so that they can force an instruction set.
find_package(GTest)
if(NOT GTest_FOUND)
  message(FATAL_ERROR "EWC_BUILD_TESTS needs GoogleTest: apt-get install libgtest-dev")
endif()
include(GoogleTest)

set(EWC_TEST ${EWC_ROOT}/native/test)
# One list of cases, run at every place that a program links: here the instruction sets of the host.
set(EWC_CONTRACT ${EWC_TEST}/contract_test.cpp ${EWC_TEST}/contract_more_test.cpp ${EWC_TEST}/place.cpp)

add_executable(ewc_tests ${EWC_CONTRACT} ${EWC_TEST}/arguments_test.cpp ${EWC_TEST}/chunks_test.cpp)
target_link_libraries(ewc_tests PRIVATE ewc_objects ewc_warnings GTest::gtest GTest::gtest_main)
gtest_discover_tests(ewc_tests DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)

add_executable(ewc_header_is_c ${EWC_ROOT}/native/test/header_is_c.c)
target_link_libraries(ewc_header_is_c PRIVATE ewc)
target_compile_options(ewc_header_is_c PRIVATE -Wall -Wextra -Wpedantic -Werror)
add_test(NAME header_is_c COMMAND ewc_header_is_c)

# Nothing but the ABI leaves libewc.so.
add_test(NAME exports COMMAND sh -c "nm -D --defined-only $<TARGET_FILE:ewc> | awk '{print $3}' | grep -v '^ewc_' && exit 1 || exit 0")

if(TARGET ewc_cuda)
  # Without a GPU, PTX shows whether the compiler kept the 128-bit loads and stores.
  set(includes -I${EWC_ROOT}/native/include -I${EWC_ROOT}/native/src -I${EWC_ROOT}/cuda)
  foreach(access ld st)
    add_test(NAME cuda_wide_${access} COMMAND sh -c
      "\"$0\" -ptx -std=c++17 -arch=sm_80 \"$@\" -o - | grep -q '${access}[.]global[.]v4[.]f32'"
      ${EWC_WORKING_NVCC} ${includes} ${EWC_ROOT}/cuda/fisher_accumulate.cu)
  endforeach()

  add_executable(ewc_cuda_load_test ${EWC_ROOT}/native/test/cuda_load_test.cpp)
  target_link_libraries(ewc_cuda_load_test PRIVATE ewc ewc_warnings GTest::gtest GTest::gtest_main)
  add_dependencies(ewc_cuda_load_test ewc_cuda)
  gtest_discover_tests(ewc_cuda_load_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES)
endif()
