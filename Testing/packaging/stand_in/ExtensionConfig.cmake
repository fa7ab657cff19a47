# What other extensions would find this one by, in the build tree alone.

file(WRITE "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}Config.cmake"
  "set(${EXTENSION_NAME}_SOURCE_DIR [==[${CMAKE_SOURCE_DIR}]==])\n")
