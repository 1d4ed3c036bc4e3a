# `cmake --install` lays down the program, the plugins, and the SDK that find_package(cambium) finds:
# headers, static libraries and the same cambium_add_plugin() that the robots of this tree use.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sdk_include ${CMAKE_INSTALL_INCLUDEDIR}/cambium/sdk)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cambium)
set(CAMBIUM_INSTALL_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/cambium/plugins)
set(CAMBIUM_INSTALL_MODEL_DIR ${CMAKE_INSTALL_DATADIR}/cambium/models)

# Whoever links the SDK gets its include paths, its C++ level, and its sanitizers (a plugin with
# other ones would be refused).
target_compile_features(cambium_interfaces INTERFACE cxx_std_20)
target_include_directories(cambium_interfaces INTERFACE $<INSTALL_INTERFACE:${sdk_include}>)
if(CAMBIUM_SANITIZE)
  target_compile_options(cambium_interfaces INTERFACE $<INSTALL_INTERFACE:-fsanitize=${CAMBIUM_SANITIZE}>)
  target_link_options(cambium_interfaces INTERFACE $<INSTALL_INTERFACE:-fsanitize=${CAMBIUM_SANITIZE}>)
endif()

# The libraries of the SDK: what a plugin or a controller may link, and whatever those stand on.
get_property(wanted GLOBAL PROPERTY CAMBIUM_LIBRARIES)
list(FILTER wanted INCLUDE REGEX "^(interfaces|client|core_base|stem_.*|stems|head_.*|heads)$")
set(sdk_libraries "")
set(sdk_links "")
while(wanted)
  list(POP_FRONT wanted name)
  if(name IN_LIST sdk_libraries)
    continue()
  endif()
  list(APPEND sdk_libraries ${name})
  get_target_property(linked cambium_${name} INTERFACE_LINK_LIBRARIES)
  list(APPEND sdk_links ${linked})
  string(REGEX MATCHALL "cambium::[a-z0-9_]+" inner "${linked}")
  list(TRANSFORM inner REPLACE "cambium::" "")
  list(APPEND wanted ${inner})
endwhile()
foreach(name IN LISTS sdk_libraries)
  set_target_properties(cambium_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS cambium_${name} EXPORT cambium ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()

# The packages that those libraries name: the config file looks for these and for no others.
set(CAMBIUM_SDK_NEEDS "")
foreach(package DNNL Eigen3 Threads OpenMP fmt nlohmann_json flatbuffers PkgConfig)
  if(sdk_links MATCHES "${package}::")
    list(APPEND CAMBIUM_SDK_NEEDS ${package})
  endif()
endforeach()
foreach(module zmq=libzmq crypto=libcrypto sodium=libsodium)
  string(REGEX MATCH "^[a-z]+" target ${module})
  if(sdk_links MATCHES "PkgConfig::${target}")
    list(APPEND CAMBIUM_SDK_NEEDS ${module})
  endif()
endforeach()

# Headers keep the names by which they are included.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/interfaces/cambium DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/interfaces/abi DESTINATION ${sdk_include})
foreach(folder core/base core/nn stems heads)
  get_filename_component(parent ${folder} DIRECTORY)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${sdk_include}/${parent}
    FILES_MATCHING PATTERN "*.hpp")
endforeach()

if(TARGET cambium)
  install(TARGETS cambium EXPORT cambium RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS cambium_check RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})  # looked for beside it
  install(CODE "set(UNITS ${PROJECT_SOURCE_DIR}/packaging/systemd)\nset(BINDIR ${CMAKE_INSTALL_BINDIR})")
  install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/install_units.cmake)
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/systemd/cambium.sysusers.conf
    DESTINATION lib/sysusers.d RENAME cambium.conf)
endif()
get_property(plugins GLOBAL PROPERTY CAMBIUM_PLUGINS)
foreach(plugin IN LISTS plugins)
  get_target_property(folder ${plugin} SOURCE_DIR)
  if(NOT folder MATCHES "^${PROJECT_SOURCE_DIR}/tests")
    install(TARGETS ${plugin} LIBRARY DESTINATION ${CAMBIUM_INSTALL_PLUGIN_DIR})
  endif()
endforeach()
if(EXISTS ${PROJECT_SOURCE_DIR}/models)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/ DESTINATION ${CAMBIUM_INSTALL_MODEL_DIR})
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cambiumConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cambiumConfig.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS CAMBIUM_INSTALL_PLUGIN_DIR CAMBIUM_INSTALL_MODEL_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cambiumConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT cambium NAMESPACE cambium:: FILE cambiumTargets.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/cambiumConfig.cmake ${PROJECT_BINARY_DIR}/cambiumConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/cambium_plugin.cmake ${CMAKE_CURRENT_LIST_DIR}/cambium_plugin.version
  ${CMAKE_CURRENT_LIST_DIR}/cambium_onednn.cmake DESTINATION ${package_dir})
