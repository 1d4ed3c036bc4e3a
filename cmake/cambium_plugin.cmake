# cambium_add_plugin(NAME my_robot SRCS plugin.cpp DEPS cambium::stem_token cambium::head_mlp)
# One shared library lib<NAME>.so that exports one symbol. Installed with the SDK, so a robot outside this tree is built
# with the same flags as those inside. What it links must be static: a private .so would not be reloaded with it.
set(CAMBIUM_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/cambium_plugin.version)
function(cambium_add_plugin)
  cmake_parse_arguments(arg "" "NAME" "SRCS;DEPS" ${ARGN})
  add_library(${arg_NAME} MODULE ${arg_SRCS})
  target_link_libraries(${arg_NAME} PRIVATE cambium::interfaces ${arg_DEPS})
  target_compile_features(${arg_NAME} PRIVATE cxx_std_20)
  # -fno-gnu-unique: a GNU_UNIQUE symbol would pin the library and share its statics between two loaded versions.
  target_compile_options(${arg_NAME} PRIVATE -fvisibility=hidden -fvisibility-inlines-hidden
    $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_link_options(${arg_NAME} PRIVATE
    -Wl,--version-script=${CAMBIUM_PLUGIN_VERSION_SCRIPT} -Wl,--exclude-libs,ALL -Wl,--as-needed)
  if(NOT CAMBIUM_SANITIZE)  # a sanitizer's symbols come with the host
    target_link_options(${arg_NAME} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${arg_NAME} PROPERTIES PREFIX "lib" LINK_DEPENDS ${CAMBIUM_PLUGIN_VERSION_SCRIPT})
  set_property(GLOBAL APPEND PROPERTY CAMBIUM_PLUGINS ${arg_NAME})  # for installation and the symbol tests
endfunction()
