# The local engine: llama.cpp of exactly one version behind one target, keel_llama (and KEEL_WITH_LLAMA for the code).
#
#   KEEL_ENGINE=prebuilt  libraries that the publisher of the pinned source bundle built from the same tag. Ready in
#                         seconds; Linux with glibc 2.34 or newer. The default where such libraries exist.
#   KEEL_ENGINE=source    the pinned bundle, built once by scripts/llama-build into its own cached folder. For other
#                         platforms, for sanitizers and for patches of ours.
#   KEEL_ENGINE=none      no local engine: a fast build for everything else.
#
# Both routes give the same layout: one folder with libllama, libllama-common, libggml, libggml-base and one library for
# each CPU family, which the program loads by path. The folder is <build>/lib, and lib/keel when installed.
# Nothing is fetched here; `scripts/deps get` does that, and ./dev calls it.

set(KEEL_DEPS_CACHE "${PROJECT_SOURCE_DIR}/deps/.cache" CACHE PATH "Where scripts/deps puts what it fetches")
if(DEFINED ENV{KEEL_DEPS_CACHE})
  set(KEEL_DEPS_CACHE "$ENV{KEEL_DEPS_CACHE}" CACHE PATH "" FORCE)
endif()

# keel_lock(<name> <prefix>): reads one line of deps/deps.lock into <prefix>_VERSION, _SHA256, _TREE and _DIR.
function(keel_lock name prefix)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/deps/deps.lock")
  file(STRINGS "${PROJECT_SOURCE_DIR}/deps/deps.lock" lines REGEX "^${name} ")
  if(NOT lines)
    message(FATAL_ERROR "deps/deps.lock has no line for ${name}.")
  endif()
  string(REGEX REPLACE " +" ";" fields "${lines}")
  list(GET fields 1 version)
  list(GET fields 5 sha256)
  list(GET fields 6 tree)
  set(${prefix}_VERSION "${version}" PARENT_SCOPE)
  set(${prefix}_SHA256 "${sha256}" PARENT_SCOPE)
  set(${prefix}_TREE "${tree}" PARENT_SCOPE)
  set(${prefix}_DIR "${KEEL_DEPS_CACHE}/${name}-${version}" PARENT_SCOPE)
endfunction()

# keel_need_fetched(<folder> <command>): stops with the one command to run when <folder> is not there.
function(keel_need_fetched folder command)
  if(NOT EXISTS "${folder}/.keel-stamp")
    message(FATAL_ERROR "${folder} is not there yet.\nRun: ${command}\n(or `./dev build`, which does it.)")
  endif()
endfunction()

# The name of the prebuilt engine for this machine, or nothing.
function(keel_prebuilt_name result)
  execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/deps" prebuilt
                  OUTPUT_VARIABLE name OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    set(name "")
  endif()
  set(${result} "${name}" PARENT_SCOPE)
endfunction()

# keel_cmake_version(<file> <prefix> <result>): the version that a CMakeLists.txt of the bundle sets in three lines.
function(keel_cmake_version file prefix result)
  file(STRINGS "${file}" lines REGEX "^set\\(${prefix}_VERSION_(MAJOR|MINOR|PATCH) [0-9]+\\)")
  string(REGEX REPLACE "set\\(${prefix}_VERSION_[A-Z]+ ([0-9]+)\\)" "\\1" numbers "${lines}")
  string(REPLACE ";" "." version "${numbers}")
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

keel_prebuilt_name(KEEL_PREBUILT)
if(KEEL_PREBUILT)
  set(keel_engine_default prebuilt)
else()
  set(keel_engine_default source)
endif()
set(KEEL_ENGINE "${keel_engine_default}" CACHE STRING "Local engine: prebuilt, source or none")
set_property(CACHE KEEL_ENGINE PROPERTY STRINGS prebuilt source none)
set(KEEL_LLAMA_FLAVOUR "release" CACHE STRING "With KEEL_ENGINE=source: which build of scripts/llama-build to use")

if(KEEL_ENGINE STREQUAL "none")
  set(KEEL_WITH_LLAMA OFF)
  return()
elseif(NOT KEEL_ENGINE MATCHES "^(prebuilt|source)$")
  message(FATAL_ERROR "KEEL_ENGINE is '${KEEL_ENGINE}'; it can be prebuilt, source or none.")
endif()
set(KEEL_WITH_LLAMA ON)

keel_lock(llama.cpp keel_bundle)
keel_need_fetched("${keel_bundle_DIR}" "scripts/deps get llama.cpp")
set(KEEL_LLAMA_VERSION "${keel_bundle_VERSION}")
set(KEEL_LLAMA_BUNDLE_TREE "${keel_bundle_TREE}")

if(KEEL_ENGINE STREQUAL "prebuilt")
  set(KEEL_PREBUILT_NAME "${KEEL_PREBUILT}" CACHE STRING "Line of deps.lock with the prebuilt engine, for example
      llama-linux-x64-vulkan")
  if(NOT KEEL_PREBUILT_NAME)
    message(FATAL_ERROR "There is no prebuilt engine for this machine (Linux with glibc 2.34 or newer on x86-64 or "
                        "arm64).\nConfigure with -DKEEL_ENGINE=source, or -DKEEL_ENGINE=none to do without.")
  endif()
  keel_lock(${KEEL_PREBUILT_NAME} keel_prebuilt)
  keel_need_fetched("${keel_prebuilt_DIR}" "scripts/deps get ${KEEL_PREBUILT_NAME}")
  set(keel_engine_dir "${keel_prebuilt_DIR}")
  # The publisher's own record of what the libraries were built from.
  file(READ "${keel_engine_dir}/_nlcBuildMetadata.json" keel_metadata)
  string(JSON keel_release GET "${keel_metadata}" buildOptions llamaCpp release)
  if(NOT keel_release STREQUAL KEEL_LLAMA_VERSION OR NOT keel_prebuilt_VERSION STREQUAL KEEL_LLAMA_VERSION)
    message(FATAL_ERROR "The engine's libraries are of ${keel_release}, its headers of ${KEEL_LLAMA_VERSION}.\n"
                        "Correct deps/deps.lock so that both lines are of one version, then run scripts/deps get.")
  endif()
else()
  set(keel_engine_dir "${KEEL_DEPS_CACHE}/llama-build-${KEEL_LLAMA_VERSION}-${KEEL_LLAMA_FLAVOUR}/lib")
  keel_need_fetched("${keel_engine_dir}" "scripts/llama-build ${KEEL_LLAMA_FLAVOUR}")
  file(READ "${keel_engine_dir}/.keel-stamp" keel_built_from)
  string(STRIP "${keel_built_from}" keel_built_from)
  if(NOT keel_built_from STREQUAL KEEL_LLAMA_BUNDLE_TREE)
    message(FATAL_ERROR "The engine in ${keel_engine_dir} was built from another source than deps.lock pins.\n"
                        "Run: scripts/llama-build ${KEEL_LLAMA_FLAVOUR}")
  endif()
endif()

# The headers must say the same version as the libraries: first llama.cpp, then ggml, whose library carries its number
# as text. The program checks llama_version() and ggml_version() against these again when it starts.
keel_cmake_version("${keel_bundle_DIR}/CMakeLists.txt" LLAMA KEEL_LLAMA_HEADERS_VERSION)
keel_cmake_version("${keel_bundle_DIR}/ggml/CMakeLists.txt" GGML KEEL_GGML_VERSION)
if(NOT "v${KEEL_LLAMA_HEADERS_VERSION}" STREQUAL KEEL_LLAMA_VERSION)
  message(FATAL_ERROR "The engine's headers say v${KEEL_LLAMA_HEADERS_VERSION}, deps.lock says ${KEEL_LLAMA_VERSION}.")
endif()

# keel_engine_library(<stem>): the one file lib<stem>[.variant][.version].so of the engine's folder.
set(keel_so "${CMAKE_SHARED_LIBRARY_SUFFIX}")
function(keel_engine_library stem)
  file(GLOB found "${keel_engine_dir}/lib${stem}${keel_so}" "${keel_engine_dir}/lib${stem}.*${keel_so}")
  list(LENGTH found count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${keel_engine_dir} should hold one lib${stem}, but holds: '${found}'.\n"
                        "Remove that folder and run ./dev build again.")
  endif()
  add_library(keel_engine_${stem} SHARED IMPORTED)
  set_target_properties(keel_engine_${stem} PROPERTIES IMPORTED_LOCATION "${found}")
  target_link_libraries(keel_llama INTERFACE keel_engine_${stem})
endfunction()

add_library(keel_llama INTERFACE)
foreach(stem llama-common llama ggml ggml-base)
  keel_engine_library(${stem})
endforeach()
get_target_property(keel_base_file keel_engine_ggml-base IMPORTED_LOCATION)
string(REPLACE "." "\\." keel_number "${KEEL_GGML_VERSION}")
file(STRINGS "${keel_base_file}" keel_numbers REGEX "^${keel_number}$")
if(NOT keel_numbers)
  message(FATAL_ERROR "${keel_base_file} is not of ggml ${KEEL_GGML_VERSION}, the version of the headers.\n"
                      "Remove ${keel_engine_dir} and run ./dev build again.")
endif()

target_include_directories(keel_llama SYSTEM INTERFACE
  "${keel_bundle_DIR}/include" "${keel_bundle_DIR}/ggml/include" "${keel_bundle_DIR}/common")
target_compile_definitions(keel_llama INTERFACE
  KEEL_WITH_LLAMA=1 LLAMA_SHARED GGML_SHARED GGML_BACKEND_SHARED GGML_BACKEND_DL
  KEEL_LLAMA_VERSION="${KEEL_LLAMA_VERSION}" KEEL_LLAMA_BUNDLE_TREE="${KEEL_LLAMA_BUNDLE_TREE}"
  KEEL_GGML_VERSION="${KEEL_GGML_VERSION}" KEEL_ENGINE_ROUTE="${KEEL_ENGINE}")

# <build>/lib links to the engine's files, so a program in <build>/ finds them exactly as an installed one does.
file(GLOB keel_engine_files CONFIGURE_DEPENDS "${keel_engine_dir}/lib*${keel_so}" "${keel_engine_dir}/lib*.so")
list(REMOVE_DUPLICATES keel_engine_files)
# Libraries for graphics processors that were fetched (scripts/deps get), if they are of this very build of ggml.
if(KEEL_ENGINE STREQUAL "prebuilt")
  file(SHA256 "${keel_base_file}" keel_base_hash)
  foreach(kind cuda vulkan)
    file(STRINGS "${PROJECT_SOURCE_DIR}/deps/deps.lock" keel_line REGEX "^${KEEL_PREBUILT_NAME}-${kind} ")
    if(NOT keel_line)
      continue()
    endif()
    keel_lock("${KEEL_PREBUILT_NAME}-${kind}" keel_gpu)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${keel_gpu_DIR}/.keel-stamp")
    if(NOT EXISTS "${keel_gpu_DIR}/.keel-stamp" OR NOT EXISTS "${keel_gpu_DIR}/libggml-${kind}${keel_so}")
      continue()
    endif()
    file(SHA256 "${keel_gpu_DIR}/libggml-base${keel_so}" keel_gpu_base_hash)
    if(keel_gpu_base_hash STREQUAL keel_base_hash)
      list(APPEND keel_engine_files "${keel_gpu_DIR}/libggml-${kind}${keel_so}")
    else()
      message(WARNING "${keel_gpu_DIR} is of another build than the engine and is left out.")
    endif()
  endforeach()
endif()
set(KEEL_ENGINE_LIB_DIR "${CMAKE_BINARY_DIR}/lib")
file(REMOVE_RECURSE "${KEEL_ENGINE_LIB_DIR}")
file(MAKE_DIRECTORY "${KEEL_ENGINE_LIB_DIR}")
foreach(file ${keel_engine_files})
  get_filename_component(base "${file}" NAME)
  file(CREATE_LINK "${file}" "${KEEL_ENGINE_LIB_DIR}/${base}" SYMBOLIC)
endforeach()
if(APPLE)
  set(keel_origin "@loader_path")
else()
  set(keel_origin "$ORIGIN")
endif()
set(CMAKE_BUILD_RPATH "${keel_origin}/lib")
set(CMAKE_INSTALL_RPATH "${keel_origin}/lib;${keel_origin}/../lib/keel")

# `cmake --install` puts the program in bin/ and the engine in lib/keel/.
install(FILES ${keel_engine_files} DESTINATION lib/keel)
message(STATUS "keel engine: ${KEEL_ENGINE}, llama.cpp ${KEEL_LLAMA_VERSION}, ggml ${KEEL_GGML_VERSION}")
