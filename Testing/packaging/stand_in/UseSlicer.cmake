# The macros, after `include(${Slicer_USE_FILE})`.

set(EXTENSION_NAME "${PROJECT_NAME}")
include(CTest) # defines BUILD_TESTING, as Slicer does

# slicerMacroBuildScriptedModule(NAME name [SCRIPTS file...] [RESOURCES file...] [WITH_GENERIC_TESTS])
#
# Copies each file, when the project is built, to <destination>/<file as it was given> and installs the destination's
# content, whoever put it there. So a subfolder is kept, `../` leads out of the installed tree, and an absolute path
# ends up where no one looks for it.
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(PARSE_ARGV 0 MODULE "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES")
  if(MODULE_UNPARSED_ARGUMENTS OR NOT MODULE_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME is missing or unknown: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  set(destination "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
  set(copies "")
  foreach(file IN LISTS MODULE_SCRIPTS MODULE_RESOURCES)
    get_filename_component(source "${file}" ABSOLUTE)
    if(NOT EXISTS "${source}" OR IS_DIRECTORY "${source}")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: ${MODULE_NAME} lists ${file}, which is no file")
    endif()
    string(APPEND copies "configure_file([==[${source}]==] [==[${destination}/${file}]==] COPYONLY)\n")
  endforeach()
  set(script "${CMAKE_CURRENT_BINARY_DIR}/copy_${MODULE_NAME}.cmake")
  file(WRITE "${script}" "${copies}")
  add_custom_target(Copy${MODULE_NAME} ALL COMMAND "${CMAKE_COMMAND}" -P "${script}")
  install(DIRECTORY "${destination}/" DESTINATION "${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
  if(BUILD_TESTING AND MODULE_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_qSlicer${MODULE_NAME}ModuleGenericTest COMMAND Slicer)
  endif()
endfunction()

# slicer_add_python_unittest(SCRIPT file): a test that Slicer would run; here it only has its name.
function(slicer_add_python_unittest)
  cmake_parse_arguments(PARSE_ARGV 0 TEST "" "SCRIPT" "")
  get_filename_component(script "${TEST_SCRIPT}" ABSOLUTE)
  if(TEST_UNPARSED_ARGUMENTS OR NOT EXISTS "${script}")
    message(FATAL_ERROR "slicer_add_python_unittest: no SCRIPT ${script}, or unknown: ${TEST_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(name "${script}" NAME_WE)
  add_test(NAME py_${name} COMMAND Slicer)
endfunction()
