# Options of the build; presets set them, `cmake -LH` lists them.
option(CAMBIUM_TESTS "Build the tests" ON)
option(CAMBIUM_WERROR "Treat warnings as errors" OFF)
option(CAMBIUM_ONEDNN "Build the oneDNN backend; off leaves Eigen alone" ON)
option(CAMBIUM_MUJOCO "Build the simulated robots (needs MuJoCo)" ON)
option(CAMBIUM_OPENPI "Listeners for openpi clients (Boost.Beast, msgpack-cxx)" ON)
option(CAMBIUM_GROOT "Listeners for GR00T clients (msgpack-cxx)" ON)
option(CAMBIUM_LEROBOT "Listeners for LeRobot clients (grpc++)" ON)
option(CAMBIUM_JSON "Listeners for plain JSON" ON)
set(CAMBIUM_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
option(CAMBIUM_FUZZER "Link tests/fuzz with libFuzzer (Clang only; preset fuzz)" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CAMBIUM_CCACHE ccache)
if(CAMBIUM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Two clones of one commit share what they have compiled, wherever they lie.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CAMBIUM_CCACHE})
endif()
if(CAMBIUM_SANITIZE)
  set(strict "")
  if(CAMBIUM_SANITIZE MATCHES "undefined")  # what it finds ends the process: a line in a log fails no test
    set(strict -fno-sanitize-recover=all)
  endif()
  add_compile_options(-fsanitize=${CAMBIUM_SANITIZE} ${strict} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${CAMBIUM_SANITIZE})
endif()
if(CAMBIUM_FUZZER)  # counts what every line of the product reaches; main() comes with the targets alone
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

add_library(cambium_warnings INTERFACE)
target_compile_options(cambium_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # GCC 12 sees overlaps in std::string that cannot be (gcc bug 105329)
  -Wno-missing-field-initializers  # designated initialisers leave out what has a default
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align $<$<BOOL:${CAMBIUM_WERROR}>:-Werror>)
