# The compiler, its flags, ccache and mold. Warnings are errors in our code only: detente_library and its
# kin link `detente_warnings`, generated code does not.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g -D_GLIBCXX_ASSERTIONS")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g -D_GLIBCXX_ASSERTIONS")
# Frame pointers make profiles readable; relative paths in debug information let clones share a ccache.
add_compile_options(-fno-omit-frame-pointer "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

if(DETENTE_SANITIZE)
  # Debian's gRPC and protobuf are not instrumented: tests/tsan.supp names what that leaves.
  add_compile_options("-fsanitize=${DETENTE_SANITIZE}" -fno-sanitize-recover=all)
  add_link_options("-fsanitize=${DETENTE_SANITIZE}")
  # GCC 12 takes instrumented variants and optionals for uninitialized; release builds have the warning.
  add_compile_options(-Wno-maybe-uninitialized)
  if(DETENTE_SANITIZE STREQUAL "thread")
    # Where it is defined, protobuf's headers give a map field two members that Debian's library does not know.
    # libstdc++ is still told: it shields std::shared_ptr. absl's flags use a fence, which the sanitizer does
    # not see: flags are read before threads start.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1 -Wno-tsan)
  endif()
endif()

add_library(detente_warnings INTERFACE)
# GCC 12 reports -Wrestrict in std::string's own operator+ at -O2 (GCC bug 105651).
target_compile_options(
  detente_warnings
  INTERFACE -Wall -Wextra -Werror $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
)

find_program(DETENTE_CCACHE ccache)
if(DETENTE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(
    CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}"
    -E
    env
    "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}"
    CCACHE_NOHASHDIR=1
    "${DETENTE_CCACHE}"
  )
endif()

find_program(DETENTE_MOLD mold)
if(DETENTE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
