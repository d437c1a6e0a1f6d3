#include "policy/policy.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace keel::policy {
namespace {

constexpr std::array<Integrity, 4> kIntegrities = {Integrity::owner, Integrity::agent,
                                                   Integrity::paired, Integrity::web};
constexpr std::array<Confidentiality, 3> kConfidentialities = {
    Confidentiality::open, Confidentiality::personal, Confidentiality::secret};
constexpr std::array<Sink, 7> kSinks = {Sink::none,        Sink::file_read,      Sink::memory_write,
                                        Sink::fetch_known, Sink::fetch_composed, Sink::notion_read,
                                        Sink::notion_write};

constexpr Verdict A = Verdict::allow;
constexpr Verdict Q = Verdict::ask;

// The whole policy, written a second time: [sink][integrity][confidentiality]. Whoever changes the
// one changes the other on purpose.
constexpr Verdict kExpected[7][4][3] = {
    /* none           */ {{A, A, A}, {A, A, A}, {A, A, A}, {A, A, A}},
    /* file_read      */ {{A, A, A}, {A, A, A}, {A, A, A}, {A, A, A}},
    /* memory_write   */ {{A, A, A}, {A, A, A}, {A, A, A}, {A, A, A}},
    /* fetch_known    */ {{A, A, A}, {A, A, A}, {A, A, A}, {A, A, A}},
    /* fetch_composed */ {{A, Q, Q}, {A, Q, Q}, {A, Q, Q}, {A, Q, Q}},
    /* notion_read    */ {{A, A, A}, {A, A, A}, {A, A, A}, {A, A, A}},
    /* notion_write   */ {{A, A, A}, {A, A, A}, {Q, Q, Q}, {Q, Q, Q}},
};

TEST(PolicyTest, EveryCellIsAsWritten) {
  for (std::size_t s = 0; s < kSinks.size(); ++s) {
    for (std::size_t i = 0; i < kIntegrities.size(); ++i) {
      for (std::size_t c = 0; c < kConfidentialities.size(); ++c) {
        const Decision decision = decide(kSinks[s], {kIntegrities[i], kConfidentialities[c]});
        EXPECT_EQ(decision.verdict, kExpected[s][i][c])
            << sink_name(kSinks[s]) << " x " << integrity_name(kIntegrities[i]) << " x "
            << confidentiality_name(kConfidentialities[c]);
        EXPECT_FALSE(decision.reason.empty());
      }
    }
  }
}

TEST(PolicyTest, AWorseLabelNeverAllowsMore) {
  for (const Sink sink : kSinks) {
    for (const Integrity i : kIntegrities) {
      for (const Confidentiality c : kConfidentialities) {
        for (const Integrity i2 : kIntegrities) {
          for (const Confidentiality c2 : kConfidentialities) {
            const Label joined = join({i, c}, {i2, c2});
            EXPECT_GE(decide(sink, joined).verdict, decide(sink, {i, c}).verdict)
                << sink_name(sink);
          }
        }
      }
    }
  }
}

TEST(PolicyTest, AValueOutsideTheTableIsDenied) {
  EXPECT_EQ(decide(static_cast<Sink>(99), {}).verdict, Verdict::deny);
  EXPECT_EQ(
      decide(Sink::fetch_composed, {Integrity::owner, static_cast<Confidentiality>(99)}).verdict,
      Verdict::deny);
}

TEST(PolicyTest, JoinTakesTheWorstOfBothSides) {
  const Label page{Integrity::web, Confidentiality::open};
  const Label note{Integrity::owner, Confidentiality::personal};
  const Label both = join(page, note);
  EXPECT_EQ(both.integrity, Integrity::web);
  EXPECT_EQ(both.confidentiality, Confidentiality::personal);
  EXPECT_EQ(join(note, page).integrity, both.integrity);
  EXPECT_EQ(join(Label{}, page).integrity, page.integrity);
}

TEST(PolicyTest, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (const Sink sink : kSinks) names.insert(sink_name(sink));
  EXPECT_EQ(names.size(), kSinks.size());
}

}  // namespace
}  // namespace keel::policy
