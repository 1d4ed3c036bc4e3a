# Steps of the SDK test, each run by ctest as `cmake -DSTEP=… -P sdk_test.cmake`.
set(prefix ${WORK}/prefix)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nexit code ${code}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

function(build_project source binary)
  file(REMOVE_RECURSE ${binary})
  run(${CMAKE_COMMAND} -S ${source} -B ${binary} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
    -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
  run(${CMAKE_COMMAND} --build ${binary})
endfunction()

function(expect text)
  string(FIND "${out}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "expected '${text}' in\n${out}")
  endif()
endfunction()

if(STEP STREQUAL "install")
  file(REMOVE_RECURSE ${WORK})
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
  # The prefix is shared with others: nothing of ours lies there outside a folder called cambium.
  file(GLOB entries RELATIVE ${prefix}/include ${prefix}/include/*)
  if(NOT entries STREQUAL "cambium")
    message(FATAL_ERROR "include/ holds '${entries}', expected 'cambium' alone")
  endif()
  # No file of the package may lead back into the tree that it was built from.
  file(GLOB_RECURSE files ${prefix}/lib/*.cmake ${prefix}/include/*)
  foreach(file IN LISTS files)
    file(STRINGS ${file} found REGEX "${SOURCE}")
    if(found)
      message(FATAL_ERROR "${file} names the source tree: ${found}")
    endif()
  endforeach()

elseif(STEP STREQUAL "robot")
  build_project(${CMAKE_CURRENT_LIST_DIR}/project ${WORK}/project)
  run(${prefix}/bin/cambium check ${WORK}/project/libbalancer.so)
  expect("plugin balancer 3.2.1")
  expect("joint hinge revolute [rad]: position -0.5 to 0.5, velocity 4, acceleration 40, home 0")
  expect("stem copy")

elseif(STEP STREQUAL "other_flags")
  # A robot built with other flags must be refused by a sentence, not by a crash.
  build_project(${CMAKE_CURRENT_LIST_DIR}/project ${WORK}/project_avx)
  run(${CMAKE_COMMAND} -DCMAKE_CXX_FLAGS=-mavx ${WORK}/project_avx)
  run(${CMAKE_COMMAND} --build ${WORK}/project_avx --target balancer)
  execute_process(COMMAND ${prefix}/bin/cambium check ${WORK}/project_avx/libbalancer.so
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 1)
    message(FATAL_ERROR "exit code ${code}, expected 1\n${out}")
  endif()
  expect("built with 'simd=32', this host with 'simd=16'")

elseif(STEP STREQUAL "new")
  foreach(urdf "" "--urdf;${SOURCE}/tests/data/sample_arm.urdf")
    file(REMOVE_RECURSE ${WORK}/new)
    file(MAKE_DIRECTORY ${WORK}/new)
    run(${prefix}/bin/cambium new sample_arm --dir ${WORK}/new ${urdf})
    build_project(${WORK}/new/sample_arm ${WORK}/new/build)
    run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/new/build --output-on-failure)
    expect("100% tests passed, 0 tests failed out of 1")
  endforeach()
  # A changed limit must be noticed.
  file(READ ${WORK}/new/sample_arm/plugin.cpp text)
  string(REPLACE "1.8, 2, 8" "1.8, 2.5, 8" changed "${text}")
  file(WRITE ${WORK}/new/sample_arm/plugin.cpp "${changed}")
  run(${CMAKE_COMMAND} --build ${WORK}/new/build)
  execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/new/build --output-on-failure
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(code EQUAL 0)
    message(FATAL_ERROR "a changed limit went unnoticed")
  endif()
  expect("expected.txt:4: expected '  joint shoulder_pitch")
endif()
