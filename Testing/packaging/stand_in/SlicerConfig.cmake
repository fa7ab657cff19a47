# What `find_package(Slicer)` finds when Slicer_DIR is this folder: a stand-in for the part of Slicer's build system that
# an extension made of Python files uses. Files are copied and installed as Slicer 5.13 and CTK do it; nothing is
# compiled, and no Slicer is needed. Whatever LightSeg does not use is absent.

set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/ExtensionConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/ExtensionPackage.cmake")

set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.13/qt-scripted-modules")
set(Slicer_SHARE_DIR "share/Slicer-5.13")
