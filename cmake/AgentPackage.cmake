# The tarball that goes to a board: jetson-agent with its unit, settings and instructions, and
# the licences of what is linked into it. Made by the target `package`.
set(tarball squish-jetson-agent-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
install(TARGETS jetson-agent DESTINATION .)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/jetson-agent.service
              ${CMAKE_SOURCE_DIR}/deploy/jetson/jetson-agent.toml
              ${CMAKE_SOURCE_DIR}/deploy/jetson/README.md
        DESTINATION .)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION licences RENAME squish)

# Debian's copyright files: of the libraries from where they were found, of the compiler's
# from this machine.
set(library_packages libgrpc-dev libprotobuf32 libabsl-dev libssl-dev libc-ares-dev libre2-9
    zlib1g-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev)
if(CMAKE_CROSSCOMPILING)
  set(compiler_packages libc6-dev-arm64-cross libstdc++-12-dev-arm64-cross
      libgcc-12-dev-arm64-cross)
else()
  set(compiler_packages libc6-dev libstdc++-12-dev libgcc-12-dev)
endif()
foreach(package ${library_packages})
  install(FILES ${SQUISH_SYSROOT}/usr/share/doc/${package}/copyright
          DESTINATION licences RENAME ${package})
endforeach()
foreach(package ${compiler_packages})
  install(FILES /usr/share/doc/${package}/copyright DESTINATION licences RENAME ${package})
endforeach()
# The texts that those refer to.
foreach(text Apache-2.0 GPL-3 LGPL-2.1)
  install(FILES /usr/share/common-licenses/${text} DESTINATION licences)
endforeach()

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME ${tarball})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
