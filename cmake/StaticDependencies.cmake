# What jetson-agent needs of the system's packages, as static archives, under the names that
# Dependencies.cmake gives them. Debian's CMake packages know shared libraries only, so its
# pkg-config files are asked what belongs to what.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_program(PROTOC protoc REQUIRED)
add_executable(protobuf::protoc IMPORTED)
set_target_properties(protobuf::protoc PROPERTIES IMPORTED_LOCATION ${PROTOC})

# gRPC without TLS, which nothing here speaks yet. Its pkg-config file leaves out what it is
# built on.
pkg_check_modules(AGENT REQUIRED grpc++_unsecure protobuf libcrypto libcares re2 zlib)
list(APPEND AGENT_STATIC_LIBRARIES address_sorting upb)
list(REMOVE_DUPLICATES AGENT_STATIC_LIBRARIES)
set(archives)
foreach(name ${AGENT_STATIC_LIBRARIES})
  if(name MATCHES "^(pthread|dl|rt|atomic)$")  # The compiler's and the C library's own.
    list(APPEND archives -l${name})
  else()
    find_library(ARCHIVE_${name} lib${name}.a REQUIRED)
    list(APPEND archives ${ARCHIVE_${name}})
  endif()
endforeach()
add_library(agent_archives INTERFACE)
target_link_libraries(agent_archives INTERFACE -Wl,--start-group ${archives} -Wl,--end-group
                                               Threads::Threads)
foreach(name absl::base absl::status absl::statusor absl::str_format absl::strings
             absl::synchronization absl::time OpenSSL::Crypto PkgConfig::GRPCPP
             protobuf::libprotobuf)
  add_library(${name} INTERFACE IMPORTED)
  target_link_libraries(${name} INTERFACE agent_archives)
endforeach()

# Debian has no archives of these two; their headers do without.
add_library(spdlog::spdlog INTERFACE IMPORTED)
target_compile_definitions(spdlog::spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
