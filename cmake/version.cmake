# DETENTE_VERSION as Python writes it ("1.2.0", between releases "1.2.1.dev7+g1a2b3c4"), and DETENTE_VERSION_NUMBER, the
# numbers it begins with. It is the git tag, which setuptools-scm reads for the wheel and for every other build alike;
# -DDETENTE_VERSION=... says it where there is no git.
if(DEFINED SKBUILD_PROJECT_VERSION_FULL)
  set(DETENTE_VERSION "${SKBUILD_PROJECT_VERSION_FULL}")
elseif(NOT DETENTE_VERSION)
  set(python "${Python_EXECUTABLE}")
  if(NOT python)
    find_program(python NAMES python3 NO_CACHE)
  endif()
  execute_process(
    COMMAND "${python}" -m setuptools_scm
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE DETENTE_VERSION
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET
  )
  if(NOT DETENTE_VERSION) # a Python without setuptools-scm
    file(STRINGS pyproject.toml fallback REGEX "^fallback_version")
    string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" DETENTE_VERSION "${fallback}")
  endif()
endif()
string(REGEX MATCH "^[0-9]+(\\.[0-9]+)*" DETENTE_VERSION_NUMBER "${DETENTE_VERSION}")
