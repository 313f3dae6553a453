# Helpers of the build. Every room is one static library; every test file one
# executable, registered with CTest under the names of its tests.

# squish_library(NAME SOURCES a.cc … DEPS lib …)
function(squish_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC squish_options ${ARG_DEPS})
endfunction()

# Everything that a user starts; `ninja programs` builds it without the tests.
add_custom_target(programs)

# squish_program(NAME SOURCES main.cc … DEPS lib …): an executable in BUILD/bin.
function(squish_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE squish_options ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
endfunction()

# `ninja tests` builds every test executable and what it starts; `ninja threaded_tests` those
# labelled "threaded", which ThreadSanitizer looks at.
add_custom_target(tests)
add_custom_target(threaded_tests)

# squish_sanitized(NAME): what an executable with main needs beside instrumented code.
function(squish_sanitized name)
  if(SQUISH_SANITIZE MATCHES thread)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:squish_visible_mutex>)
  endif()
endfunction()

# squish_test_program(NAME SOURCES main.cc … DEPS lib …): what a test starts, in BUILD/tests;
# the test names it among its PROGRAMS and finds it by TestProgramPath.
function(squish_test_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

# squish_test(NAME SOURCES x_test.cc … DEPS lib … [LABELS l …] [TIMEOUT seconds]
#             [PROGRAMS target …] [SHARED_DATA filter …]): a GoogleTest executable;
# PROGRAMS are built before. Each executable is one CTest test, so that suites share their
# set-up. Tests that need data from beside the checkout (tests/support/shared_data.h) are
# named by SHARED_DATA and are a CTest test of their own, NAME.shared_data: they are there
# all or none, so that CTest can show that they were skipped without hiding a failure.
function(squish_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS;PROGRAMS;SHARED_DATA" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(SQUISH_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")  # What is instrumented takes its time.
  endif()
  add_executable(${name} ${ARG_SOURCES})
  add_dependencies(tests ${name})
  if("threaded" IN_LIST ARG_LABELS)
    add_dependencies(threaded_tests ${name})
  endif()
  squish_sanitized(${name})
  target_link_libraries(${name} PRIVATE squish_options ${ARG_DEPS} squish_checkout
                                        squish_temporary_folder
                                        GTest::gmock GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(ARG_SHARED_DATA)
    string(REPLACE ";" ":" filter "${ARG_SHARED_DATA}")
    add_test(NAME ${name} COMMAND ${name} --gtest_filter=-${filter})
    add_test(NAME ${name}.shared_data COMMAND ${name} --gtest_filter=${filter})
    set_tests_properties(${name}.shared_data PROPERTIES
      TIMEOUT ${ARG_TIMEOUT} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  else()
    add_test(NAME ${name} COMMAND ${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if(ARG_PROGRAMS)
    add_dependencies(${name} ${ARG_PROGRAMS})
  endif()
endfunction()
