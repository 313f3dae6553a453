# Cross-compiles for any 64-bit ARM processor, from Debian 12's compiler and the packages
# that deploy/sysroot.sh unpacks into SQUISH_SYSROOT. Programs that run in the build (protoc,
# grpc_cpp_plugin) are the host's; the C library is the compiler's own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CXX_FLAGS_INIT "-march=armv8-a")
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES ${SQUISH_SYSROOT}/usr/include
                                           ${SQUISH_SYSROOT}/usr/include/aarch64-linux-gnu)

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SQUISH_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${SQUISH_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${SQUISH_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${SQUISH_SYSROOT})
