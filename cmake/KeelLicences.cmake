# keel_licences: THIRD_PARTY.md and keel's own licence as text inside the program (src/app/licences.h).
# THIRD_PARTY.md itself is written by scripts/licences from deps.lock and system.txt.
set(keel_licence_files "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/THIRD_PARTY.md")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${keel_licence_files})

# The text becomes bytes in hexadecimal, so that nothing in it can end a string literal early.
set(keel_licence_bytes "")
foreach(file ${keel_licence_files})
  file(READ "${file}" bytes HEX)
  string(APPEND keel_licence_bytes "${bytes}0a")
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" keel_licence_bytes "${keel_licence_bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," keel_licence_bytes "${keel_licence_bytes}")
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/licences.cc" CONTENT [[
#include "app/licences.h"

namespace keel::app {
namespace {
constexpr unsigned char kText[] = {
@keel_licence_bytes@
};
}  // namespace

std::string_view licences_text() {
  return {reinterpret_cast<const char*>(kText), sizeof(kText)};
}

}  // namespace keel::app
]] @ONLY)

add_library(keel_licences STATIC "${CMAKE_BINARY_DIR}/generated/licences.cc")
target_include_directories(keel_licences PUBLIC "${PROJECT_SOURCE_DIR}/src")
