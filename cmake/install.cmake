# `cmake --install` lays down the program and the SDK that find_package(cambium) finds.
include(GNUInstallDirs)
