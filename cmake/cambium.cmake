# The three functions every CMakeLists.txt of this project uses.
include(${CMAKE_CURRENT_LIST_DIR}/cambium_plugin.cmake)

# cambium_library(NAME core_base SRCS … DEPS …): static library cambium_<NAME>, alias cambium::<NAME>.
# Without SRCS it is a header-only (interface) library. Include paths arrive only through linked targets.
function(cambium_library)
  cmake_parse_arguments(arg "" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(arg_SRCS)
    add_library(cambium_${arg_NAME} STATIC ${arg_SRCS})
    target_link_libraries(cambium_${arg_NAME} PUBLIC ${arg_DEPS}
      PRIVATE $<BUILD_INTERFACE:cambium_warnings> ${arg_PRIVATE_DEPS})
  else()
    add_library(cambium_${arg_NAME} INTERFACE)
    target_link_libraries(cambium_${arg_NAME} INTERFACE ${arg_DEPS})
  endif()
  add_library(cambium::${arg_NAME} ALIAS cambium_${arg_NAME})
  set_property(GLOBAL APPEND PROPERTY CAMBIUM_LIBRARIES ${arg_NAME})  # cmake/install.cmake chooses the SDK's
endfunction()

# cambium_program(NAME cambium SRCS … DEPS …): an executable in <build>/bin.
function(cambium_program)
  cmake_parse_arguments(arg "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${arg_NAME} ${arg_SRCS})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_DEPS} cambium_warnings)
endfunction()

# cambium_test(NAME chunk_player SRCS … DEPS … LABELS unit): one GoogleTest program, its tests found by ctest.
function(cambium_test)
  cmake_parse_arguments(arg "" "NAME" "SRCS;DEPS;LABELS;DEFINITIONS" ${ARGN})
  add_executable(test_${arg_NAME} ${arg_SRCS})
  target_link_libraries(test_${arg_NAME} PRIVATE ${arg_DEPS} GTest::gmock_main cambium_warnings)
  target_compile_definitions(test_${arg_NAME} PRIVATE ${arg_DEFINITIONS})
  set_target_properties(test_${arg_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  gtest_discover_tests(test_${arg_NAME} TEST_PREFIX "${arg_NAME}." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 120)
endfunction()
