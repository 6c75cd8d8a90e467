# Language levels, warnings and sanitizers, for every target alike.
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# -O3 for the vectoriser; asserts stay out of Release.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")

find_package(OpenMP REQUIRED COMPONENTS CXX)

add_library(ewc_warnings INTERFACE)
target_compile_options(ewc_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX,C>:-Wall;-Wextra;-Wshadow;-Wconversion>)

if(EWC_SANITIZE)
  # CI's build alone ends at a warning: another compiler has others, which must not end a user's build. (Not every build with
  # tests: `./ewc4j build` and `./ewc4j test` share a folder, and a flag that differs would compile everything anew each time.)
  target_compile_options(ewc_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX,C>:-Werror>)
  # -O1 and lines alone in the debug information: a third of the time to compile, and fewer accesses are optimized away unseen.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX,C>:-O1> $<$<COMPILE_LANGUAGE:CXX,C>:-g1>
                      $<$<COMPILE_LANGUAGE:CXX,C>:-fsanitize=address,undefined>
                      $<$<COMPILE_LANGUAGE:CXX,C>:-fno-sanitize-recover=all>
                      $<$<COMPILE_LANGUAGE:CXX,C>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=address,undefined)
endif()
