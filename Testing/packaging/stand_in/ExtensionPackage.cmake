# The description that comes with the package, one value a line. Slicer hands the values on unquoted, so that a
# semicolon would split one, and needs the two files to make a package.

foreach(file README LICENSE)
  if(NOT EXISTS "${EXTENSION_${file}_FILE}")
    message(FATAL_ERROR "EXTENSION_${file}_FILE is no file: ${EXTENSION_${file}_FILE}")
  endif()
endforeach()

set(description "")
foreach(key DEPENDS HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS KEYWORDS)
  if("${EXTENSION_${key}}" MATCHES "^$|;|\n")
    message(FATAL_ERROR "EXTENSION_${key} is empty, or has a semicolon or a second line: ${EXTENSION_${key}}")
  endif()
  string(TOLOWER "${key}" name)
  string(APPEND description "${name} ${EXTENSION_${key}}\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext" "${description}")
install(FILES "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext" DESTINATION "${Slicer_SHARE_DIR}")
