#include "model/inference/attention_node.h"

#include <ggml.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "model/kernel/attention.h"

namespace keel::local {

struct AttentionNodes::State {
  explicit State(kernel::Isa isa, int threads_max) : attention(isa, threads_max) {}
  kernel::Attention attention;
};

namespace {

// How ggml keeps what a custom node calls; compared with a node that ggml itself made.
struct CustomNode {
  ggml_custom_op_t function;
  int tasks;
  void* data;
};
constexpr int kAllThreads = -1;       // GGML_N_TASKS_MAX
constexpr std::size_t kScaleAt = 12;  // of op_params, in floats: behind the custom node's own
static_assert(sizeof(CustomNode) <= kScaleAt * sizeof(float));
static_assert((kScaleAt + 1) * sizeof(float) <= GGML_MAX_OP_PARAMS);

float param(const ggml_tensor* node, std::size_t index) {
  float value = 0.0F;
  std::memcpy(&value, reinterpret_cast<const float*>(node->op_params) + index, sizeof value);
  return value;
}

// Of a flash-attention node, or of one that was turned into a custom node already: the sources are
// the same.
kernel::AttentionInput input_of(const ggml_tensor* node, float scale) {
  const ggml_tensor* query = node->src[0];
  const ggml_tensor* keys = node->src[1];
  const ggml_tensor* values = node->src[2];
  const ggml_tensor* mask = node->src[3];
  kernel::AttentionInput input;
  input.query = static_cast<const float*>(query->data);
  input.query_row = query->nb[1] / sizeof(float);
  input.query_head = query->nb[2] / sizeof(float);
  input.keys = static_cast<const std::uint16_t*>(keys->data);
  input.key_position = keys->nb[1] / sizeof(std::uint16_t);
  input.key_head = keys->nb[2] / sizeof(std::uint16_t);
  input.values = static_cast<const std::uint16_t*>(values->data);
  input.value_position = values->nb[1] / sizeof(std::uint16_t);
  input.value_head = values->nb[2] / sizeof(std::uint16_t);
  if (mask != nullptr) {
    input.mask = static_cast<const std::uint16_t*>(mask->data);
    input.mask_row = mask->nb[1] / sizeof(std::uint16_t);
  }
  input.result = static_cast<float*>(node->data);
  input.rows = static_cast<int>(query->ne[1]);
  input.heads = static_cast<int>(query->ne[2]);
  input.kv_heads = static_cast<int>(keys->ne[2]);
  input.head_size = static_cast<int>(query->ne[0]);
  input.positions = static_cast<int>(keys->ne[1]);
  input.scale = scale;
  return input;
}

bool on_host(const ggml_tensor* tensor) {
  return tensor->data != nullptr;
}

bool can_do(const ggml_tensor* node) {
  const ggml_tensor* query = node->src[0];
  const ggml_tensor* keys = node->src[1];
  const ggml_tensor* values = node->src[2];
  const ggml_tensor* mask = node->src[3];
  const bool types = query->type == GGML_TYPE_F32 && keys->type == GGML_TYPE_F16 &&
                     values->type == GGML_TYPE_F16 &&
                     (mask == nullptr || mask->type == GGML_TYPE_F16);
  // Slopes, soft caps and sinks are rare, and llama.cpp does them.
  const bool plain = param(node, 1) == 0.0F && param(node, 2) == 0.0F && node->src[4] == nullptr;
  const bool shapes = query->ne[3] == 1 && keys->ne[3] == 1 && values->ne[3] == 1 &&
                      keys->ne[0] == query->ne[0] && values->ne[0] == query->ne[0] &&
                      values->ne[2] == keys->ne[2] &&
                      (mask == nullptr || (mask->ne[2] == 1 && mask->ne[3] == 1));
  const bool contiguous = query->nb[0] == sizeof(float) && keys->nb[0] == sizeof(std::uint16_t) &&
                          values->nb[0] == sizeof(std::uint16_t) && ggml_is_contiguous(node);
  return types && plain && shapes && contiguous && on_host(query) && on_host(keys) &&
         on_host(values) && on_host(node) && kernel::attention_fits(input_of(node, param(node, 0)));
}

void compute(ggml_tensor* node, int thread, int threads, void* data) {
  static_cast<kernel::Attention*>(data)->run(input_of(node, param(node, kScaleAt)), thread,
                                             threads);
}

// Whether ggml keeps custom nodes as CustomNode says.
bool layout_holds() {
  std::array<std::byte, 4096> memory;
  ggml_context* context = ggml_init({memory.size(), memory.data(), true});
  if (context == nullptr) return false;
  int marker = 0;
  ggml_tensor* made =
      ggml_custom_4d(context, GGML_TYPE_F32, 1, 1, 1, 1, nullptr, 0, compute, kAllThreads, &marker);
  const CustomNode expected{compute, kAllThreads, &marker};
  CustomNode found{};
  std::memcpy(&found, made->op_params, sizeof found);
  const bool holds = made->op == GGML_OP_CUSTOM && found.function == expected.function &&
                     found.tasks == expected.tasks && found.data == expected.data;
  ggml_free(context);
  return holds;
}

}  // namespace

AttentionNodes::AttentionNodes(std::unique_ptr<State> state) : state_(std::move(state)) {}
AttentionNodes::~AttentionNodes() = default;

Result<std::unique_ptr<AttentionNodes>> AttentionNodes::create(const std::string& kernel,
                                                               int threads_max) {
  const std::optional<kernel::Isa> isa = kernel::isa_from_name(kernel);
  if (!isa || !layout_holds()) {
    return fail(Code::unsupported, "this build has no attention kernel " + kernel,
                "run keel doctor: it chooses again");
  }
  auto state = std::make_unique<State>(*isa, threads_max);
  return std::unique_ptr<AttentionNodes>(new AttentionNodes(std::move(state)));
}

bool AttentionNodes::on_node(ggml_tensor* node, bool ask, void* self) {
  if (!ask) return true;
  kernel::Attention& attention = static_cast<AttentionNodes*>(self)->state_->attention;
  if (node->op == GGML_OP_FLASH_ATTN_EXT && can_do(node)) {
    const float scale = param(node, 0);
    const CustomNode custom{compute, kAllThreads, &attention};
    std::memcpy(node->op_params, &custom, sizeof custom);
    std::memcpy(reinterpret_cast<float*>(node->op_params) + kScaleAt, &scale, sizeof scale);
    node->op = GGML_OP_CUSTOM;
  }
  // A graph that is used again still holds the custom nodes.
  if (node->op == GGML_OP_CUSTOM) {
    CustomNode custom{};
    std::memcpy(&custom, node->op_params, sizeof custom);
    if (custom.function == compute) attention.prepare(input_of(node, param(node, kScaleAt)));
  }
  return false;  // nothing needs to be looked at in between
}

}  // namespace keel::local
