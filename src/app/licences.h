#pragma once
// The text of `keel licenses`: every library inside the program or linked to it, with its licence.
// Made from THIRD_PARTY.md when the build is configured (cmake/KeelLicences.cmake); constant data,
// any thread.
#include <string_view>

namespace keel::app {

std::string_view licences_text();

}  // namespace keel::app
