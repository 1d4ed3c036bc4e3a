# Fills the program's path into the systemd units and installs them; a script of the installation,
# because only then is the prefix known (`cmake --install --prefix`). Needs UNITS (the folder of the
# sources) and BINDIR (below the prefix).
cmake_path(ABSOLUTE_PATH BINDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE CAMBIUM_BIN)
foreach(unit cambium-trunk@.service cambium-host@.service cambium-up@.service)
  file(READ ${UNITS}/${unit}.in text)
  string(CONFIGURE "${text}" text @ONLY)
  set(file $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${unit})
  message(STATUS "Installing: ${file}")
  file(WRITE ${file} "${text}")
endforeach()
