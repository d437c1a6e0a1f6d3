// Of model/inference/; here because choosing the CPU runs the test program as the engine.
#include "model/inference/attention_node.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "model/kernel/attention.h"
#include "model/local/cpu.h"

namespace keel::local {
namespace {

constexpr std::int64_t kHead = 64;
constexpr std::int64_t kHeads = 6;
constexpr std::int64_t kKvHeads = 2;
constexpr std::int64_t kPositions = 512;

// One flash-attention node with its inputs, on the CPU library and kernel chosen for this machine.
class AttentionNodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto choice = choose_cpu({});
    ASSERT_TRUE(choice) << choice.error().text();
    kernel_ = choice->attention;
    if (kernel_.empty()) GTEST_SKIP() << "no attention kernel of keel's runs on this machine";
    if (ggml_backend_reg_by_name("CPU") == nullptr) ggml_backend_load(choice->library.c_str());
    backend_.reset(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
    ASSERT_NE(backend_, nullptr);
    nodes_ = MUST(AttentionNodes::create(kernel_, 64));
  }

  std::vector<float> attend(std::int64_t rows, float soft_cap, bool own) {
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
        ggml_init({ggml_tensor_overhead() * 8 + ggml_graph_overhead(), nullptr, true}), ggml_free);
    ggml_tensor* q = ggml_new_tensor_3d(context.get(), GGML_TYPE_F32, kHead, rows, kHeads);
    ggml_tensor* k = ggml_new_tensor_3d(context.get(), GGML_TYPE_F16, kHead, kPositions, kKvHeads);
    ggml_tensor* v = ggml_new_tensor_3d(context.get(), GGML_TYPE_F16, kHead, kPositions, kKvHeads);
    ggml_tensor* mask = ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, kPositions, rows);
    ggml_tensor* node = ggml_flash_attn_ext(context.get(), q, k, v, mask, 0.125F, 0.0F, soft_cap);
    ggml_cgraph* graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, node);
    const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
        ggml_backend_alloc_ctx_tensors(context.get(), backend_.get()), ggml_backend_buffer_free);
    fill(q, k, v, mask, rows);
    // Twice, because a graph that is used again holds the custom node already.
    for (int run = 0; own && run < 2; ++run) AttentionNodes::on_node(node, true, nodes_.get());
    changed_ = node->op == GGML_OP_CUSTOM;
    ggml_backend_graph_compute(backend_.get(), graph);
    std::vector<float> result(static_cast<std::size_t>(ggml_nelements(node)));
    ggml_backend_tensor_get(node, result.data(), 0, ggml_nbytes(node));
    return result;
  }

  static void fill(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, ggml_tensor* mask,
                   std::int64_t rows) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0.0F, 1.0F);
    std::vector<float> query(static_cast<std::size_t>(ggml_nelements(q)));
    for (float& value : query) value = normal(random);
    ggml_backend_tensor_set(q, query.data(), 0, ggml_nbytes(q));
    for (ggml_tensor* tensor : {k, v}) {
      std::vector<ggml_fp16_t> cells(static_cast<std::size_t>(ggml_nelements(tensor)));
      for (ggml_fp16_t& cell : cells) cell = ggml_fp32_to_fp16(normal(random));
      ggml_backend_tensor_set(tensor, cells.data(), 0, ggml_nbytes(tensor));
    }
    std::vector<ggml_fp16_t> seen;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t p = 0; p < kPositions; ++p) {
        seen.push_back(ggml_fp32_to_fp16(p <= 400 + row ? 0.0F : -INFINITY));
      }
    }
    ggml_backend_tensor_set(mask, seen.data(), 0, ggml_nbytes(mask));
  }

  std::string kernel_;
  std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_{nullptr, ggml_backend_free};
  std::unique_ptr<AttentionNodes> nodes_;
  bool changed_ = false;
};

TEST_F(AttentionNodeTest, GivesWhatLlamaCppGives) {
  for (const std::int64_t rows : {1, 4, 40}) {
    const std::vector<float> theirs = attend(rows, 0.0F, false);
    EXPECT_FALSE(changed_);
    const std::vector<float> ours = attend(rows, 0.0F, true);
    EXPECT_TRUE(changed_);
    for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs[i], 5e-3F) << i;
  }
}

TEST_F(AttentionNodeTest, WhatTheKernelCannotDoIsLeftToLlamaCpp) {
  const std::vector<float> theirs = attend(4, 30.0F, false);
  EXPECT_EQ(attend(4, 30.0F, true), theirs);
  EXPECT_FALSE(changed_);
}

TEST_F(AttentionNodeTest, AnUnknownKernelIsAnError) {
  EXPECT_EQ(AttentionNodes::create("mmx", 2).error().code, Code::unsupported);
}

}  // namespace
}  // namespace keel::local
