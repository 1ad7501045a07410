# The functions every folder's CMakeLists.txt is written with.
#
#   detente_library(<folder> [INCLUDE_PREFIX <prefix>] SOURCES ... DEPS ...)   library target detente_<folder>
#   detente_executable(<name> [SHARED] SOURCES ... DEPS ...)
#   detente_test(<name> SOURCES ... DEPS ...)           gtest binary, each case known to ctest as <name>.<Suite>.<Case>
#   detente_protos(<name> IMPORT_DIR <dir> PROTOS ... DEPS ...)   C++ code of .proto files
#   detente_proto_list(<name> PROTOS ...)               detente::ProtoFiles() of proto_files.h
#
# DEPS names our own targets, without the prefix detente_ where they have it ("values", "proto").

# Every library ends in this target, and so a final link orders the archives behind all of our own. Which
# archives they are is the property DETENTE_LINK of the executable or module that is linked.
add_library(detente_headers INTERFACE)
target_link_libraries(
  detente_headers
  INTERFACE
    "$<IF:$<STREQUAL:$<TARGET_PROPERTY:DETENTE_LINK>,shared>,detente_link_shared,detente_link_static>"
)

function(_detente_resolve out)
  set(targets "")
  foreach(name IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER "${name}" id)
    if(TARGET "detente_${id}")
      list(APPEND targets "detente_${id}")
    elseif(TARGET "${name}")
      list(APPEND targets "${name}")
    else()
      message(
        FATAL_ERROR
        "${CMAKE_CURRENT_SOURCE_DIR}: no target ${name} or detente_${id} yet; a layer may only use those below it"
      )
    endif()
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()

# The folder is seen through a root of its own, build/<preset>/include/<folder>/<folder> -> the sources, so
# that "values/edtf.h" is found only by targets that depend on `values`: an upward include does not compile.
# A nested folder is named with its path: detente_library(store/sqlite ...). With INCLUDE_PREFIX, includes
# name that before the folder.
function(detente_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE_PREFIX" "SOURCES;DEPS")
  string(MAKE_C_IDENTIFIER "${folder}" id)
  set(target "detente_${id}")
  set(root "${CMAKE_BINARY_DIR}/include/${id}")
  cmake_path(APPEND arg_INCLUDE_PREFIX "${folder}" OUTPUT_VARIABLE link)
  cmake_path(GET link PARENT_PATH parent)
  file(MAKE_DIRECTORY "${root}/${parent}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/${link}" SYMBOLIC)

  _detente_resolve(deps ${arg_DEPS})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    target_include_directories(${target} PUBLIC "${root}")
    target_link_libraries(${target} PUBLIC ${deps} detente_headers PRIVATE detente_warnings)
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${root}")
    target_link_libraries(${target} INTERFACE ${deps} detente_headers)
  endif()
endfunction()

# Statically linked with Debian's packages, or with their shared libraries where SHARED is said, and under the
# thread sanitizer, which can leave uninstrumented code out by library only.
function(detente_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SHARED" "" "SOURCES;DEPS")
  _detente_resolve(deps ${arg_DEPS})
  add_executable(${name} ${arg_SOURCES})
  if(arg_SHARED OR DETENTE_SANITIZE STREQUAL "thread")
    set_target_properties(${name} PROPERTIES DETENTE_LINK shared)
  endif()
  target_link_libraries(${name} PRIVATE ${deps} detente_headers detente_warnings)
endfunction()

function(detente_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(DETENTE_SANITIZE) # which takes several times as long
    math(EXPR arg_TIMEOUT "5 * ${arg_TIMEOUT}")
  endif()
  find_package(GTest REQUIRED)
  detente_executable(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} GTest::gmock_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  include(GoogleTest)
  # The environment is of the test presets: here CMake would keep one variable of a list. Timeouts in
  # seconds. Cases are listed when ctest runs, so that a build costs no start of the binary.
  gtest_discover_tests(
    ${name}
    TEST_PREFIX "${name}."
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
    PROPERTIES TIMEOUT ${arg_TIMEOUT}
  )
endfunction()

# PROTOS are paths below IMPORT_DIR, as import statements name them; DEPS are other targets made here.
# <name> carries the objects themselves, not an archive: a descriptor registers itself by a static
# initialiser that a linker would drop from one. Headers: "detente/v1/release.pb.h".
function(detente_protos name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "IMPORT_DIR" "PROTOS;DEPS")
  set(out "${CMAKE_BINARY_DIR}/gen/${name}")
  file(MAKE_DIRECTORY "${out}")
  set(imports "${arg_IMPORT_DIR}")
  foreach(dep IN LISTS arg_DEPS)
    get_property(dep_imports TARGET ${dep} PROPERTY DETENTE_IMPORT_DIRS)
    list(APPEND imports ${dep_imports})
  endforeach()
  list(REMOVE_DUPLICATES imports)
  list(TRANSFORM imports PREPEND "-I" OUTPUT_VARIABLE import_flags)

  set(generated "")
  foreach(proto IN LISTS arg_PROTOS)
    cmake_path(REMOVE_EXTENSION proto LAST_ONLY OUTPUT_VARIABLE stem)
    set(outputs "${out}/${stem}.pb.cc" "${out}/${stem}.pb.h")
    string(MAKE_C_IDENTIFIER "${stem}" id)
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND
        "${DETENTE_PROTOC}" ${import_flags} "-I${DETENTE_PROTOBUF_INCLUDE}" "--cpp_out=${out}"
        "--dependency_out=${out}/${id}.d" "${proto}"
      DEPENDS "${arg_IMPORT_DIR}/${proto}"
      DEPFILE "${out}/${id}.d"
      COMMENT "protoc ${proto}"
      VERBATIM
    )
    list(APPEND generated ${outputs})
  endforeach()

  add_library(${name}_objects OBJECT ${generated})
  target_include_directories(${name}_objects SYSTEM PUBLIC "${out}")
  target_link_libraries(${name}_objects PUBLIC ${arg_DEPS})
  add_library(${name} INTERFACE)
  set_property(TARGET ${name} PROPERTY DETENTE_IMPORT_DIRS ${imports})
  set_property(TARGET ${name} PROPERTY DETENTE_PROTOS ${arg_PROTOS})
  target_link_libraries(
    ${name}
    INTERFACE ${name}_objects $<TARGET_OBJECTS:${name}_objects> detente_headers
  )
  add_custom_target(${name}_generated DEPENDS ${generated})
  if(TARGET detente_generated)
    add_dependencies(detente_generated ${name}_generated)
  endif()
endfunction()

# The names of the files that one binary serves, as protobuf's descriptor pool knows them. A list of its own
# for each binary: a test server links one file more than the real one.
function(detente_proto_list name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PROTOS;DEPS")
  _detente_resolve(deps ${arg_DEPS})
  list(LENGTH arg_PROTOS count)
  list(TRANSFORM arg_PROTOS REPLACE "(.+)" "    \"\\1\"," OUTPUT_VARIABLE lines)
  list(JOIN lines "\n" lines)
  set(source "${CMAKE_BINARY_DIR}/gen/${name}/proto_files.cc")
  file(
    CONFIGURE
    OUTPUT "${source}"
    CONTENT
      [[#include "proto_files.h"

namespace detente {
namespace {
constexpr const char* kProtoFiles[] = {
@lines@
};
}  // namespace

absl::Span<const char* const> ProtoFiles() { return kProtoFiles; }

}  // namespace detente
]]
    @ONLY
  )
  add_library(${name} STATIC "${source}")
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}/cmake/include")
  target_link_libraries(${name} PUBLIC ${deps} detente_headers)
endfunction()
