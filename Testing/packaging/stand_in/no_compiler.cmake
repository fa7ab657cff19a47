# A toolchain without compilers. `project(LightSeg)` asks for C and C++, as every extension does because Slicer's own
# packages need them; there is nothing to compile here, and a machine that runs the tests may have no compiler.

foreach(language C CXX)
  set(CMAKE_${language}_COMPILER "${CMAKE_COMMAND}")
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
endforeach()
