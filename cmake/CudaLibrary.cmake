message(STATUS "libewc_cuda.so: placeholder")
