# Cross-compiles for 64-bit ARM and runs its tests under emulation (Debian: g++-aarch64-linux-gnu, qemu-user, googletest):
#   cmake -S cmake -B target/aarch64 -DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/aarch64.cmake -DEWC_CUDA=OFF \
#         -DEWC_BUILD_TESTS=ON -DEWC_GTEST_SOURCE=/usr/src/googletest
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
