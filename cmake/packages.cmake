# What comes from outside: Debian's gRPC, protobuf, absl, SQLite and ICU, and Google's common protos from the
# Python environment. All headers live in the default include path, so libraries need no target to compile
# against; the final link picks static or shared archives (see detente.cmake).

find_package(Threads REQUIRED)
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter OPTIONAL_COMPONENTS Development.Module)
find_program(DETENTE_PROTOC protoc REQUIRED)
find_path(DETENTE_PROTOBUF_INCLUDE google/protobuf/descriptor.proto REQUIRED)

# Google's api, rpc and type protos are in no Debian package; the PyPI wheel googleapis-common-protos has them.
if(NOT DETENTE_GOOGLEAPIS_DIR)
  execute_process(
    COMMAND
      "${Python_EXECUTABLE}" -c
      "import google.api, pathlib; print(pathlib.Path(list(google.api.__path__)[0]).parents[1])"
    OUTPUT_VARIABLE detente_googleapis
    OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY
  )
  set(
    DETENTE_GOOGLEAPIS_DIR
    "${detente_googleapis}"
    CACHE PATH
    "Folder that holds google/api/*.proto"
  )
endif()

# Arrow C++ is in no Debian package; the PyPI wheel pyarrow has its headers and libraries. libarrow alone:
# libarrow_compute and libparquet bring RE2 and OpenSSL along, which then mix with those of gRPC.
execute_process(
  COMMAND
    "${Python_EXECUTABLE}" -c
    "import pyarrow as a; print(a.__version__, a.get_include(), a.get_library_dirs()[0], sep=';')"
  OUTPUT_VARIABLE detente_arrow
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY
)
list(GET detente_arrow 0 detente_arrow_version)
list(GET detente_arrow 1 detente_arrow_include)
list(GET detente_arrow 2 detente_arrow_folder)
string(REGEX MATCH "^[0-9]+" detente_arrow_major "${detente_arrow_version}")
add_library(detente_arrow SHARED IMPORTED)
set_target_properties(
  detente_arrow
  PROPERTIES
    IMPORTED_LOCATION "${detente_arrow_folder}/libarrow.so.${detente_arrow_major}00"
    INTERFACE_INCLUDE_DIRECTORIES "${detente_arrow_include}"
)

# detente_link_static and detente_link_shared: what a final link takes from Debian.
# The Python module must be shared (the archives are not position independent); the server is static, which
# is 25 % faster and keeps its symbols from those of other libraries.
set(
  detente_packages
  grpc++_reflection
  grpc++
  grpc
  gpr
  address_sorting
  upb
  cares
  re2
  ssl
  crypto
  protobuf
  sqlite3
  z
)
set(detente_static_files "")
set(detente_shared_files "")
foreach(package IN LISTS detente_packages)
  string(MAKE_C_IDENTIFIER "${package}" id)
  find_library(DETENTE_${id}_STATIC "lib${package}.a" REQUIRED)
  list(APPEND detente_static_files "${DETENTE_${id}_STATIC}")
  if(NOT package MATCHES "^(upb|address_sorting|cares|z|ssl)$") # the shared libraries bring these along
    find_library(DETENTE_${id}_SHARED "lib${package}.so" REQUIRED)
    list(APPEND detente_shared_files "${DETENTE_${id}_SHARED}")
  endif()
endforeach()
cmake_path(GET DETENTE_grpc___STATIC PARENT_PATH detente_library_folder)
# ICU is shared in the server too: 31 MB of its data in each binary that knows a word would be no gain.
set(detente_icu_files "")
foreach(package IN ITEMS icui18n icuuc icudata)
  find_library(DETENTE_${package}_SHARED "lib${package}.so" REQUIRED)
  list(APPEND detente_icu_files "${DETENTE_${package}_SHARED}")
endforeach()
file(GLOB detente_absl_static "${detente_library_folder}/libabsl_*.a")
file(GLOB detente_absl_shared "${detente_library_folder}/libabsl_*.so")

list(JOIN detente_static_files "," detente_static_group)
list(JOIN detente_absl_static "," detente_absl_group)
add_library(detente_link_static INTERFACE)
target_link_libraries(
  detente_link_static
  INTERFACE
    "$<LINK_GROUP:RESCAN,${detente_static_group},${detente_absl_group}>"
    ${detente_icu_files}
    Threads::Threads
    ${CMAKE_DL_LIBS}
    m
    rt
)
target_link_options(detente_link_static INTERFACE "LINKER:--exclude-libs,ALL" "LINKER:--as-needed")

add_library(detente_link_shared INTERFACE)
target_link_options(detente_link_shared INTERFACE "LINKER:--as-needed")
target_link_libraries(
  detente_link_shared
  INTERFACE
    ${detente_shared_files}
    ${detente_absl_shared}
    ${detente_icu_files}
    Threads::Threads
    ${CMAKE_DL_LIBS}
    m
)
