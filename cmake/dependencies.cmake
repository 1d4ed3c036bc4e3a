# Every third-party library, found once. Each is used behind one door folder (tests/layering checks it).
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)      # Boost.DLL, header only: core/plugin
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(FlatBuffers REQUIRED NAMES flatbuffers FlatBuffers)
find_package(tomlplusplus REQUIRED)    # core/config
find_package(fmt REQUIRED)
find_package(OpenMP REQUIRED)          # the threads of learning, and oneDNN's: core/learn, core/nn
find_package(PkgConfig REQUIRED)
pkg_check_modules(zmq REQUIRED IMPORTED_TARGET libzmq)          # core/transport, core/client
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)    # SHA-256 of weights: core/base
pkg_check_modules(urdfdom REQUIRED IMPORTED_TARGET urdfdom)     # cambium new --urdf
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)    # keys and signatures: core/base
find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)             # core/formats
if(CAMBIUM_LEROBOT)
  pkg_check_modules(grpc REQUIRED IMPORTED_TARGET grpc++)       # core/adapters/lerobot
  pkg_check_modules(protobuf REQUIRED IMPORTED_TARGET protobuf)
  find_program(PROTOC protoc REQUIRED)
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
endif()
if(CAMBIUM_OPENPI)
  add_library(cambium_asio INTERFACE)  # Boost.Beast's ground: core/adapters/openpi
  add_library(cambium::asio ALIAS cambium_asio)
  target_link_libraries(cambium_asio INTERFACE Boost::headers)
  if(CAMBIUM_SANITIZE MATCHES "thread")  # GCC's does not know fences; the queues have mutexes
    target_compile_definitions(cambium_asio INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
if(CAMBIUM_ONEDNN)
  include(cambium_onednn)              # core/nn, core/learn
endif()
if(CAMBIUM_MUJOCO)
  find_package(PNG REQUIRED)           # pictures of examples/reach
  find_package(mujoco REQUIRED)        # examples/reach
  # Debian's target names a folder of libqhull_r that the package does not need and may not be there.
  get_target_property(paths mujoco::mujoco INTERFACE_INCLUDE_DIRECTORIES)
  list(FILTER paths EXCLUDE REGEX qhull)
  set_target_properties(mujoco::mujoco PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${paths}")
endif()
find_package(benchmark QUIET)          # bench/kernels, which is left out without it
if(CAMBIUM_TESTS)
  find_package(GTest REQUIRED)
  include(CTest)
  include(GoogleTest)
endif()
