# `install` leaves the libraries where the .nar and the jar take them from. A libewc_cuda.so of an earlier build must not
# outlive the nvcc that made it, so it is removed where this build makes none.
set(EWC_LIBRARY_DIRS ${EWC_LIBRARY_DIR} ${EWC_JAR_LIBRARY_DIR})
foreach(directory IN LISTS EWC_LIBRARY_DIRS)
  install(TARGETS ewc LIBRARY DESTINATION ${directory})
  if(TARGET ewc_cuda)
    install(TARGETS ewc_cuda LIBRARY DESTINATION ${directory})
  else()
    cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE absolute)
    install(CODE "file(REMOVE \"${absolute}/libewc_cuda.so\")")
  endif()
endforeach()
install(FILES ${EWC_ROOT}/native/include/ewc/ewc.h DESTINATION ${EWC_INCLUDE_DIR}/ewc)
