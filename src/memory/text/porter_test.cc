#include "memory/text/porter.h"

#include <gtest/gtest.h>

namespace keel::memory {
namespace {

struct Pair {
  std::string_view word, stem;
};

constexpr Pair kPublished[] = {
    {"caresses", "caress"},
    {"ponies", "poni"},
    {"ties", "ti"},
    {"caress", "caress"},
    {"cats", "cat"},
    {"feed", "feed"},
    {"agreed", "agre"},
    {"plastered", "plaster"},
    {"bled", "bled"},
    {"motoring", "motor"},
    {"sing", "sing"},
    {"conflated", "conflat"},
    {"troubled", "troubl"},
    {"sized", "size"},
    {"hopping", "hop"},
    {"tanned", "tan"},
    {"falling", "fall"},
    {"hissing", "hiss"},
    {"fizzed", "fizz"},
    {"failing", "fail"},
    {"filing", "file"},
    {"happy", "happi"},
    {"sky", "sky"},
    {"relational", "relat"},
    {"conditional", "condit"},
    {"rational", "ration"},
    {"valenci", "valenc"},
    {"hesitanci", "hesit"},
    {"digitizer", "digit"},
    {"conformabli", "conform"},
    {"radicalli", "radic"},
    {"differentli", "differ"},
    {"vileli", "vile"},
    {"analogousli", "analog"},
    {"vietnamization", "vietnam"},
    {"predication", "predic"},
    {"operator", "oper"},
    {"feudalism", "feudal"},
    {"decisiveness", "decis"},
    {"hopefulness", "hope"},
    {"callousness", "callous"},
    {"formaliti", "formal"},
    {"sensitiviti", "sensit"},
    {"sensibiliti", "sensibl"},
    {"triplicate", "triplic"},
    {"formative", "form"},
    {"formalize", "formal"},
    {"electriciti", "electr"},
    {"electrical", "electr"},
    {"hopeful", "hope"},
    {"goodness", "good"},
    {"revival", "reviv"},
    {"allowance", "allow"},
    {"inference", "infer"},
    {"airliner", "airlin"},
    {"gyroscopic", "gyroscop"},
    {"adjustable", "adjust"},
    {"defensible", "defens"},
    {"irritant", "irrit"},
    {"replacement", "replac"},
    {"adjustment", "adjust"},
    {"dependent", "depend"},
    {"adoption", "adopt"},
    {"homologou", "homolog"},
    {"communism", "commun"},
    {"activate", "activ"},
    {"angulariti", "angular"},
    {"homologous", "homolog"},
    {"effective", "effect"},
    {"bowdlerize", "bowdler"},
    {"probate", "probat"},
    {"rate", "rate"},
    {"cease", "ceas"},
    {"controll", "control"},
    {"roll", "roll"},
    {"generalizations", "gener"},
    {"oscillators", "oscil"},
};

// The examples of the published description, step by step, each taken to the end of the algorithm.
TEST(Porter, gives_the_stems_of_the_published_examples) {
  for (const Pair& pair : kPublished) EXPECT_EQ(porter_stem(pair.word), pair.stem) << pair.word;
}

TEST(Porter, leaves_short_words_and_other_scripts_alone) {
  for (const std::string_view word : {"", "a", "is", "größe", "x86", "日本", "2026", "Cats"})
    EXPECT_EQ(porter_stem(word), word);
}

// What the owner notices: the forms of his own words meet.
TEST(Porter, joins_the_forms_of_everyday_words) {
  EXPECT_EQ(porter_stem("pottery"), porter_stem("potteries"));
  EXPECT_EQ(porter_stem("called"), porter_stem("calling"));
  EXPECT_EQ(porter_stem("boats"), porter_stem("boat"));
  EXPECT_EQ(porter_stem("allergies"), porter_stem("allergy"));
  EXPECT_NE(porter_stem("went"), porter_stem("go"));
}

}  // namespace
}  // namespace keel::memory
