// The child's side of the CPU choice: loads one CPU library, runs the kernels a model runs and
// prints one line of JSON. It may well die of an illegal instruction; that is what it is for.
#pragma once

#include <string>
#include <vector>

namespace keel::local {

// {"--probe", <library>, <threads>}; the exit code.
int probe_main(const std::vector<std::string>& arguments);
// {"--probe-attention", <kernel>}: the same for one of keel's attention kernels.
int probe_attention_main(const std::vector<std::string>& arguments);

}  // namespace keel::local
