#include "model/budget/needs.h"

#include <array>
#include <utility>

namespace keel::budget {
namespace {

constexpr std::array kShapeNumbers = {
    std::pair{"cache_bytes", &Shape::cache_bytes},
    std::pair{"compute_bytes", &Shape::compute_bytes},
    std::pair{"device_cache_bytes", &Shape::device_cache_bytes},
    std::pair{"device_compute_bytes", &Shape::device_compute_bytes},
};
constexpr std::array kNumbers = {
    std::pair{"base_bytes", &Needs::base_bytes},
    std::pair{"mapped_bytes", &Needs::mapped_bytes},
    std::pair{"repacked_bytes", &Needs::repacked_bytes},
    std::pair{"device_bytes", &Needs::device_bytes},
    std::pair{"cache_bytes_per_token", &Needs::cache_bytes_per_token},
    std::pair{"checkpoint_bytes", &Needs::checkpoint_bytes},
};

template <class T, class Table>
Status read_numbers(const Json& value, const Table& table, T& into) {
  for (const auto& [name, member] : table) {
    into.*member = TRY(json_int(value, name));
    if (into.*member < 0)
      return fail(Code::invalid_argument, std::string(name) + " cannot be negative");
  }
  return {};
}

Result<Json> array_in(const Json& value, const char* name) {
  const auto found = value.find(name);
  if (found == value.end() || !found->is_array())
    return fail(Code::invalid_argument, std::string(name) + " must be an array");
  return *found;
}

}  // namespace

Json to_json(const Needs& needs) {
  Json out = {{"description", needs.description},
              {"trained_context", needs.trained_context},
              {"experts", needs.experts}};
  for (const auto& [name, member] : kNumbers) out[name] = needs.*member;
  out["shapes"] = Json::array();
  for (const Shape& shape : needs.shapes) {
    Json row = {{"context", shape.context}, {"batch", shape.batch}};
    for (const auto& [name, member] : kShapeNumbers) row[name] = shape.*member;
    if (!shape.cache.empty()) row["cache"] = shape.cache;
    out["shapes"].push_back(std::move(row));
  }
  out["devices"] = Json::array();
  for (const Device& device : needs.devices) {
    out["devices"].push_back({{"name", device.name},
                              {"description", device.description},
                              {"total_bytes", device.total_bytes},
                              {"free_bytes", device.free_bytes}});
  }
  return out;
}

Result<Needs> needs_from_json(const Json& value) {
  Needs needs;
  needs.description = json_string_or(value, "description", "");
  needs.trained_context = static_cast<int>(json_int_or(value, "trained_context", 0));
  needs.experts = static_cast<int>(json_int_or(value, "experts", 0));
  TRY(read_numbers(value, kNumbers, needs));
  for (const Json& row : TRY(array_in(value, "shapes"))) {
    Shape shape;
    shape.context = static_cast<int>(TRY(json_int(row, "context")));
    shape.batch = static_cast<int>(TRY(json_int(row, "batch")));
    TRY(read_numbers(row, kShapeNumbers, shape));
    shape.cache = json_string_or(row, "cache", "");
    needs.shapes.push_back(shape);
  }
  if (needs.shapes.empty()) return fail(Code::invalid_argument, "shapes are missing");
  for (const Json& row : TRY(array_in(value, "devices"))) {
    needs.devices.push_back({json_string_or(row, "name", ""),
                             json_string_or(row, "description", ""),
                             TRY(json_int(row, "total_bytes")), TRY(json_int(row, "free_bytes"))});
  }
  return needs;
}

}  // namespace keel::budget
