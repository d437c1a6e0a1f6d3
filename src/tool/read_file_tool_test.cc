#include "tool/read_file_tool.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tool/allowed_path.h"
#include "tool/list_files_tool.h"
#include "tool/testing.h"

namespace keel::tool {
namespace {

namespace fs = std::filesystem;

void put(const std::string& path, const std::string& content) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// notes/ is allowed; secret.txt and notes-private/ lie beside it.
void make_tree(Bench& bench) {
  const std::string& base = bench.folder();
  put(base + "/notes/boat.md", "Ariadne\n");
  put(base + "/notes/deep/er/x.txt", "deep");
  put(base + "/notes-private/y.txt", "private");
  put(base + "/secret.txt", "secret");
  fs::create_symlink(base + "/secret.txt", base + "/notes/link.txt");
  fs::create_directory_symlink(base, base + "/notes/up");
  bench.context.folders = {base + "/notes"};
}

TEST(ReadFileToolTest, FilesAreFoundByRelativeAbsoluteAndFolderName) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  const std::string path = bench.folder() + "/notes/boat.md";
  for (const std::string& name :
       {std::string("boat.md"), std::string("./boat.md"), path, std::string("notes/boat.md")}) {
    const Outcome outcome = bench.call(R"({"path":")" + name + R"("})");
    EXPECT_FALSE(outcome.is_error) << outcome.text;
    EXPECT_EQ(outcome.text, path + ":\nAriadne\n");
    EXPECT_EQ(outcome.confidentiality, policy::Confidentiality::personal);
  }
  EXPECT_NE(bench.text(R"({"path":"deep/er/x.txt"})").find("deep"), std::string::npos);
}

TEST(ReadFileToolTest, NothingOutsideTheFolderIsEverOpened) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  const std::string base = bench.folder();
  for (const std::string& path :
       {std::string("../secret.txt"), std::string("deep/../../secret.txt"), base + "/secret.txt",
        base + "/notes/../secret.txt", base + "/notes-private/y.txt", std::string("/etc/passwd"),
        std::string("link.txt"), std::string("up/secret.txt"), std::string("deep\\u0000/x"),
        std::string("up"), std::string("")}) {
    const Outcome outcome = bench.call(R"({"path":")" + path + R"("})");
    EXPECT_TRUE(outcome.is_error) << path << ": " << outcome.text;
    EXPECT_EQ(outcome.text.find("secret\n"), std::string::npos);
  }
}

TEST(AllowedPathTest, TheWalkWithoutOpenat2RefusesTheSame) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  for (const PathWalk walk : {PathWalk::kernel, PathWalk::by_component}) {
    const auto& folders = bench.context.folders;
    EXPECT_TRUE(open_allowed(folders, "deep/er/x.txt", PathKind::file, walk).has_value());
    EXPECT_TRUE(open_allowed(folders, "", PathKind::folder, walk).has_value());
    for (const char* path : {"link.txt", "up/secret.txt", "up", "../secret.txt"}) {
      const auto opened = open_allowed(folders, path, PathKind::file, walk);
      ASSERT_FALSE(opened.has_value()) << path;
      EXPECT_EQ(opened.error().code,
                path == std::string("up/secret.txt") && walk == PathWalk::by_component
                    ? opened.error().code
                    : Code::permission)
          << opened.error().text();
    }
    const auto missing = open_allowed(folders, "nothing.txt", PathKind::file, walk);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, Code::not_found);
    const auto through = open_allowed(folders, "boat.md/x", PathKind::file, walk);
    ASSERT_FALSE(through.has_value());
    EXPECT_EQ(through.error().code, Code::invalid_argument) << through.error().text();
  }
}

TEST(ReadFileToolTest, WithoutAFolderTheOwnerIsToldHowToOpenOne) {
  Bench bench(make_read_file_tool());
  const Outcome outcome = bench.call(R"({"path":"x"})");
  EXPECT_TRUE(outcome.is_error);
  EXPECT_NE(outcome.text.find("[files] allow"), std::string::npos) << outcome.text;
}

TEST(ReadFileToolTest, AWebAddressNamesTheToolForIt) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  const Outcome outcome = bench.call(R"({"path":"https://example.org/page.html"})");
  EXPECT_TRUE(outcome.is_error);
  EXPECT_NE(outcome.text.find("web_fetch"), std::string::npos) << outcome.text;
}

TEST(ReadFileToolTest, ALongFileIsPagedAtCodePoints) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  std::string content;
  for (int i = 0; i < 1000; ++i) content += "ü" + std::to_string(i % 10) + "€";
  put(bench.folder() + "/notes/long.txt", content);
  std::string together;
  std::int64_t offset = 0;
  for (int pages = 0; offset >= 0 && pages < 200; ++pages) {
    const std::string text =
        bench.text(R"({"path":"long.txt","max_bytes":97,"offset":)" + std::to_string(offset) + "}");
    const std::size_t line = text.find('\n');
    together += text.substr(line + 1);
    const std::size_t next = text.substr(0, line).find("offset ");
    offset = next == std::string::npos ? -1 : std::stoll(text.substr(next + 7));
  }
  EXPECT_EQ(together, content);
  EXPECT_TRUE(bench.call(R"({"path":"long.txt","offset":99999999})").is_error);
  EXPECT_TRUE(bench.call(R"({"path":"long.txt","offset":-1})").is_error);
  // More than the bound is cut to the bound, not refused.
  put(bench.folder() + "/notes/huge.txt", std::string(200'000, 'x'));
  EXPECT_LT(bench.text(R"({"path":"huge.txt","max_bytes":9000000000})").size(), 40'000u);
}

TEST(ReadFileToolTest, BinaryFilesAreRefusedByTheirKind) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  put(bench.folder() + "/notes/a.pdf", "%PDF-1.7 ...");
  put(bench.folder() + "/notes/b.bin", std::string("abc\0def", 7));
  put(bench.folder() + "/notes/c.db", std::string("SQLite format 3\0", 16));
  put(bench.folder() + "/notes/latin1.txt",
      "Gr\xfc\xdf"
      "e");
  put(bench.folder() + "/notes/empty.txt", "");
  EXPECT_NE(bench.text(R"({"path":"a.pdf"})").find("PDF document"), std::string::npos);
  EXPECT_NE(bench.text(R"({"path":"b.bin"})").find("binary data"), std::string::npos);
  EXPECT_NE(bench.text(R"({"path":"c.db"})").find("SQLite database"), std::string::npos);
  EXPECT_NE(bench.text(R"({"path":"latin1.txt"})").find("Grüße"), std::string::npos);
  EXPECT_NE(bench.text(R"({"path":"empty.txt"})").find("is empty"), std::string::npos);
}

TEST(ReadFileToolTest, APipeOrAFolderDoesNotHang) {
  Bench bench(make_read_file_tool());
  make_tree(bench);
  ASSERT_EQ(mkfifo((bench.folder() + "/notes/pipe").c_str(), 0600), 0);
  EXPECT_NE(bench.text(R"({"path":"pipe"})").find("not an ordinary file"), std::string::npos);
  EXPECT_NE(bench.text(R"({"path":"deep"})").find("is a folder"), std::string::npos);
}

TEST(ListFilesToolTest, EntriesComeSortedWithTheirKind) {
  Bench bench(make_list_files_tool());
  make_tree(bench);
  const std::string text = bench.text("{}");
  EXPECT_EQ(text.find(bench.folder() + "/notes:\ndeep/\nboat.md (8 bytes, "), 0u) << text;
  EXPECT_NE(text.find("link.txt (link, not followed)"), std::string::npos);
  EXPECT_EQ(bench.text(R"({"path":"deep"})"), bench.folder() + "/notes/deep:\ner/");
  EXPECT_TRUE(bench.call(R"({"path":".."})").is_error);
  EXPECT_TRUE(bench.call(R"({"path":"up"})").is_error);
  EXPECT_TRUE(bench.call(R"({"path":"boat.md"})").is_error);
}

TEST(ListFilesToolTest, ACrowdedFolderIsCutAndSaysSo) {
  Bench bench(make_list_files_tool());
  make_tree(bench);
  for (int i = 0; i < 300; ++i) put(bench.folder() + "/notes/deep/f" + std::to_string(i), "");
  const std::string text = bench.text(R"({"path":"deep"})");
  EXPECT_NE(text.find("(200 of 301 entries shown"), std::string::npos) << text;
}

TEST(ListFilesToolTest, SeveralFoldersAreNamed) {
  Bench bench(make_list_files_tool());
  make_tree(bench);
  bench.context.folders.push_back(bench.folder() + "/notes-private");
  EXPECT_EQ(bench.text("{}"), "The allowed folders:\n" + bench.folder() + "/notes\n" +
                                  bench.folder() + "/notes-private");
  EXPECT_NE(bench.text(R"({"path":"notes-private"})").find("y.txt"), std::string::npos);
}

}  // namespace
}  // namespace keel::tool
