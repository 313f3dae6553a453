# Sanitizers and fuzzers. Everything is instrumented, generated code too: a library that lacks
# it would be a wall. clang's, whose runtimes are part of the programs.
if((SQUISH_SANITIZE OR SQUISH_FUZZ) AND NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR
    "SQUISH_SANITIZE and SQUISH_FUZZ want clang: add -DCMAKE_CXX_COMPILER=clang++-14")
endif()
if(SQUISH_SANITIZE)
  add_compile_options(-fsanitize=${SQUISH_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${SQUISH_SANITIZE})
  # At -O1 a large file of the service takes clang more than twice as long (12 to 15 s, not 6).
  set(CMAKE_CXX_FLAGS_RELEASE "-O0")
endif()
# squish_optimised_when_sanitized(NAME): -O1 for a small target that tests keep busy for minutes
# otherwise.
function(squish_optimised_when_sanitized name)
  if(SQUISH_SANITIZE)
    target_compile_options(${name} PRIVATE -O1)
  endif()
endfunction()
if(SQUISH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
