#include "store/statement.h"

#include <gtest/gtest.h>

#include "store/test_folder.h"

namespace keel::store {
namespace {

class StatementTest : public testing::Test {
 protected:
  template <class F>
  void write(F body) {
    Status done =
        database_->write([&](Connection& connection) -> Status { return body(connection); });
    ASSERT_TRUE(done) << done.error().text();
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_ = Database::open(note_options(folder_)).value();
};

TEST_F(StatementTest, every_type_comes_back_as_it_was_bound) {
  write([](Connection& connection) -> Status {
    Statement select = TRY(connection.prepare("SELECT ?1, ?2, ?3, ?4, CAST(?1 AS BLOB), ?5, ?6"));
    std::string with_nul("a\0b", 3);
    select.bind(1, with_nul)
        .bind(2, std::int64_t{1} << 62)
        .bind(3, 0.25)
        .bind(4, true)
        .bind_null(5)
        .bind_optional(6, std::nullopt);
    EXPECT_TRUE(TRY(select.step()));
    EXPECT_EQ(select.text(0), with_nul);
    EXPECT_EQ(select.integer(1), std::int64_t{1} << 62);
    EXPECT_EQ(select.real(2), 0.25);
    EXPECT_EQ(select.integer(3), 1);
    EXPECT_EQ(select.text(4), with_nul);
    EXPECT_TRUE(select.is_null(5));
    EXPECT_EQ(select.optional_text(6), std::nullopt);
    EXPECT_FALSE(TRY(select.step()));
    return {};
  });
}

TEST_F(StatementTest, an_empty_text_is_not_null) {
  write([](Connection& connection) -> Status {
    Statement select = TRY(connection.prepare("SELECT ?1"));
    EXPECT_TRUE(TRY(select.bind(1, std::string_view()).step()));
    EXPECT_FALSE(select.is_null(0));
    EXPECT_EQ(select.optional_text(0), std::string());
    return {};
  });
}

TEST_F(StatementTest, a_cached_statement_does_not_keep_old_values) {
  write([](Connection& connection) -> Status {
    {
      Statement first = TRY(connection.prepare("SELECT ?1"));
      EXPECT_TRUE(TRY(first.bind(1, "secret").step()));
    }
    Statement second = TRY(connection.prepare("SELECT ?1"));
    EXPECT_TRUE(TRY(second.step()));
    EXPECT_TRUE(second.is_null(0));
    return {};
  });
}

TEST_F(StatementTest, the_same_statement_twice_at_once_is_refused) {
  write([](Connection& connection) -> Status {
    Statement first = TRY(connection.prepare("SELECT 1"));
    Result<Statement> second = connection.prepare("SELECT 1");
    EXPECT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::internal);
    return {};
  });
}

TEST_F(StatementTest, more_statements_than_the_cache_holds_still_work) {
  write([](Connection& connection) -> Status {
    Statement held = TRY(connection.prepare("SELECT 'held'"));
    for (int i = 0; i < 1000; ++i) {
      Statement select = TRY(connection.prepare("SELECT " + std::to_string(i)));
      EXPECT_TRUE(TRY(select.step()));
      EXPECT_EQ(select.integer(0), i);
    }
    EXPECT_TRUE(TRY(held.step()));
    EXPECT_EQ(held.text(0), "held");
    return {};
  });
}

TEST_F(StatementTest, a_wrong_index_is_reported_by_the_step) {
  write([](Connection& connection) -> Status {
    Statement select = TRY(connection.prepare("SELECT ?1"));
    Result<bool> row = select.bind(7, "x").step();
    EXPECT_FALSE(row);
    EXPECT_EQ(row.error().code, Code::internal);
    EXPECT_TRUE(TRY(select.bind(1, "y").step()));
    return {};
  });
}

TEST_F(StatementTest, constraints_are_told_apart) {
  write([](Connection& connection) -> Status {
    TRY(add_note(connection, 1, "one"));
    EXPECT_EQ(add_note(connection, 1, "again").error().code, Code::already_exists);
    Statement insert = TRY(connection.prepare("INSERT INTO note(id, body) VALUES(2, ?1)"));
    EXPECT_EQ(insert.bind_null(1).run().error().code, Code::invalid_argument);
    EXPECT_TRUE(insert.bind(1, "two").run());
    EXPECT_EQ(connection.changes(), 1);
    EXPECT_EQ(connection.last_row_id(), 2);
    return {};
  });
}

TEST_F(StatementTest, a_value_over_the_bound_is_refused) {
  write([](Connection& connection) -> Status {
    std::string huge(70u << 20, 'x');
    EXPECT_EQ(add_note(connection, 1, huge).error().code, Code::limit);
    return {};
  });
}

TEST_F(StatementTest, two_statements_in_one_text_or_none_are_refused) {
  write([](Connection& connection) -> Status {
    EXPECT_FALSE(connection.prepare("SELECT 1; SELECT 2"));
    EXPECT_FALSE(connection.prepare(""));
    EXPECT_FALSE(connection.prepare("-- nothing"));
    EXPECT_TRUE(connection.prepare("SELECT 1;  "));
    EXPECT_EQ(connection.prepare("SELEKT 1").error().code, Code::internal);
    EXPECT_FALSE(connection.execute(std::string_view("SELECT 1;\0 garbage", 18)));
    return {};
  });
}

TEST_F(StatementTest, a_double_quoted_text_is_not_a_string) {
  write([](Connection& connection) -> Status {
    EXPECT_FALSE(connection.prepare("SELECT \"no such column\""));
    return {};
  });
}

}  // namespace
}  // namespace keel::store
